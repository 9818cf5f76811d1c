// Requests whose bytes cost nothing: what the daemon does around them.

extension Row {
    static let smallRequests =
        [16, 64, 256].map(learningRate) + [(1, 0.85), (4, 2), (16, 4)].map(smallPush)

    private static func learningRate(connections: Int) -> Row {
        Row(
            "lr-\(connections)", "GET lr on \(connections) connections", "requests/s", limit: "bare libmicrohttpd",
            goal: 0.8
        ) { bench in
            let bare = try bench.serve { try .reference(parameters: 1, rule: "sgd") }
            let daemon = try bench.paramd(durability: "none", model: Model(parameters: 4, optimizer: "sgd"))
            let limit = FloodLoad(port: bare.port, .get("/lr"), connections: connections)
            let paramd = FloodLoad(port: daemon.port, .get("/v1/models/m/lr"), connections: connections)
            return try bench.alternate(
                limit: { try limit.run(seconds: bench.settings.seconds) },
                paramd: { try paramd.run(seconds: bench.settings.seconds) })
        }
    }

    /// Durable pushes of four values; the limit writes and syncs one body after another, so many workers can beat it.
    private static func smallPush(workers: Int, goal: Double) -> Row {
        Row(
            "small-push-\(workers)",
            "durable push of 4 values, \(workers) \(workers == 1 ? "worker" : "workers")", "pushes/s",
            limit: "bare POST + fdatasync in turn", goal: goal
        ) { bench in
            let file = try bench.makeFile(bytes: 1 << 22)
            let bare = try bench.serve { try .reference(parameters: 1, rule: "sgd", file: file) }
            let daemon = try bench.paramd(durability: "group", model: Model(parameters: 4, optimizer: "sgd"))
            let body = Array(#"{"gradients":{"w":[0.5,0.25,1,2]}}"#.utf8)
            let small = Request.post("/small", body, kind: "application/json")
            let push = Request.post("/v1/models/m/gradients", body, kind: "application/json")
            let limit = try WorkerLoad(port: bare.port, [[small]])
            let paramd = try WorkerLoad(port: daemon.port, Array(repeating: [push], count: workers))
            return try bench.alternate(
                limit: { try limit.run(seconds: bench.settings.seconds) },
                paramd: { try paramd.run(seconds: bench.settings.seconds) })
        }
    }
}
