// Training steps: a push of a whole gradient, Adam, a pull of all parameters.

extension Row {
    static let steps: [Row] = [1_000_000, 10_000_000].flatMap { parameters in
        [1, 4].flatMap { workers in
            ["memory", "group"].map { step(parameters: parameters, workers: workers, durability: $0) }
                + [memory(parameters: parameters, workers: workers)]
        }
    }

    private static func label(_ parameters: Int, _ workers: Int) -> String {
        "\(parameters / 1_000_000) M, \(workers) \(workers == 1 ? "worker" : "workers")"
    }

    /// Steps per second; a durable push is compared with a server that writes and syncs as many bytes.
    private static func step(parameters: Int, workers: Int, durability: String) -> Row {
        let isDurable = durability == "group"
        return Row(
            "step-\(parameters / 1_000_000)m-\(workers)-\(durability)",
            "push, Adam, pull: \(label(parameters, workers)), durability \(durability)", "steps/s",
            limit: isDurable ? "C server with write + fdatasync" : "C server", goal: isDurable ? 0.8 : 0.9,
            floor: isDurable || workers > 1 ? 0 : parameters == 1_000_000 ? 430 : 35
        ) { bench in
            let model = Model(parameters: parameters, optimizer: "adam")
            let pair = try StepServers(bench, model, durability: durability)
            let limit = try pair.limitLoad(workers: workers)
            let paramd = try pair.paramdLoad(workers: workers)
            return try bench.alternate(
                limit: { try limit.run(seconds: bench.settings.seconds) },
                paramd: { try paramd.run(seconds: bench.settings.seconds) })
        }
    }

    /// The largest resident memory after such a load.
    private static func memory(parameters: Int, workers: Int) -> Row {
        Row(
            "memory-\(parameters / 1_000_000)m-\(workers)",
            "resident memory at its peak: \(label(parameters, workers))", "MB", limit: "C server",
            goal: workers == 1 ? 1.33 : 1.34, lessIsBetter: true
        ) { bench in
            let pair = try StepServers(bench, Model(parameters: parameters, optimizer: "adam"), durability: "group")
            let limit = try pair.limitLoad(workers: workers)
            let paramd = try pair.paramdLoad(workers: workers)
            return try bench.alternate(
                limit: {
                    _ = try limit.run(seconds: bench.settings.seconds)
                    return Double(try pair.limit.peak) / 1e6
                },
                paramd: {
                    _ = try paramd.run(seconds: bench.settings.seconds)
                    return Double(try pair.paramd.peak) / 1e6
                })
        }
    }
}

/// The two servers of a row, with the same model.
struct StepServers {
    let limit, paramd: ServerProcess
    private let push: [UInt8]

    init(_ bench: Workbench, _ model: Model, durability: String) throws {
        push = model.push
        let file = durability == "group" ? try bench.makeFile(bytes: 4 * push.count) : nil
        limit = try bench.serve {
            try .reference(parameters: model.parameters, rule: model.optimizer, file: file)
        }
        paramd = try bench.paramd(durability: durability, model: model)
    }

    func limitLoad(workers: Int, pulls: Bool = true) throws -> WorkerLoad {
        try load(limit, .post("/push", push, kind: Model.kind), .get("/pull"), workers: workers, pulls: pulls)
    }

    func paramdLoad(workers: Int, pulls: Bool = true) throws -> WorkerLoad {
        let push = Request.post("/v1/models/m/gradients", push, kind: Model.kind)
        return try load(paramd, push, .get("/v1/models/m/parameters.safetensors"), workers: workers, pulls: pulls)
    }

    private func load(
        _ server: ServerProcess, _ push: Request, _ pull: Request, workers: Int, pulls: Bool
    ) throws -> WorkerLoad {
        let step = pulls ? [push, pull] : [push]
        return try WorkerLoad(port: server.port, Array(repeating: step, count: workers))
    }
}
