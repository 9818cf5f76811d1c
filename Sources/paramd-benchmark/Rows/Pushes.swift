// Pushes alone: durable ones against the disk, and one of many tensors against one that reads no names.

extension Row {
    static let pushes = [durablePush, writtenBytes, manyTensors]

    private static let large = Model(parameters: 10_000_000, optimizer: "sgd")

    /// A bare server receives the gradient and applies it, then a program writes and syncs as many bytes.
    private static let durablePush = Row(
        "push-10m", "push of 10 M values, SGD, durable", "ms", limit: "C server + write + fdatasync of 40 MB",
        goal: 1.2, lessIsBetter: true
    ) { bench in
        let servers = try StepServers(bench, large, durability: "group")
        let bare = try bench.serve { try .reference(parameters: large.parameters, rule: "sgd") }
        let push = Request.post("/push", large.push, kind: Model.kind)
        let limit = try WorkerLoad(port: bare.port, [[push]])
        let disk = DiskLimit(try bench.makeFile(bytes: 40_000_000), bytes: 40_000_000)
        let paramd = try servers.paramdLoad(workers: 1, pulls: false)
        return try bench.alternate(
            limit: { 1000 / (try limit.run(seconds: bench.settings.seconds)) + 1000 * (try disk.write()) },
            paramd: { 1000 / (try paramd.run(seconds: bench.settings.seconds)) })
    }

    /// Everything that the daemon writes while it is pushed to, snapshots too.
    private static let writtenBytes = Row(
        "written-10m", "written for a durable push of 10 M values, SGD", "MB", limit: "the gradient's 40 MB", goal: 1.1,
        lessIsBetter: true
    ) { bench in
        let servers = try StepServers(bench, large, durability: "group")
        let load = try servers.paramdLoad(workers: 1, pulls: false)
        return try bench.alternate(
            limit: { 40 },
            paramd: {
                let before = try servers.paramd.written
                let pushes = try load.count(seconds: 2 * bench.settings.seconds).steps
                return Double(try servers.paramd.written - before) / 1e6 / Double(pushes)
            })
    }

    /// The bare server gets the same bytes, skips their header and takes one step over all values: what remains is the
    /// cost of the names, and of each tensor.
    private static let manyTensors = Row(
        "push-10000-tensors", "safetensors push of 10,000 tensors of 100 floats", "ms",
        limit: "C server that skips the header", goal: 4, lessIsBetter: true
    ) { bench in
        let model = Model(parameters: 1_000_000, tensors: 10_000, optimizer: "sgd")
        let servers = try StepServers(bench, model, durability: "memory")
        let limit = try servers.limitLoad(workers: 1, pulls: false)
        let paramd = try servers.paramdLoad(workers: 1, pulls: false)
        return try bench.alternate(
            limit: { 1000 / (try limit.run(seconds: bench.settings.seconds)) },
            paramd: { 1000 / (try paramd.run(seconds: bench.settings.seconds)) })
    }
}
