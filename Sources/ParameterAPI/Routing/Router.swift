// Finds the row for a request. The table is short, and a row that does not match costs one or two comparisons.

import HTTPServing

/// The routes of the API.
struct Router: Sendable {
    let routes: [Route]

    /// All methods of all paths.
    var methods: [String] {
        Set(routes.map(\.method.rawValue) + [Method.head.rawValue, Method.options.rawValue]).sorted()
    }

    /// The endpoint for a request.
    ///
    /// - Throws: `notFound` for an unknown path; `methodNotAllowed`, with the methods that the path supports.
    func find(_ request: Request) throws(Problem) -> (route: Route, arguments: [String: String], suffix: String?) {
        let method = request.method == .head ? .get : request.method
        var found = routes.compactMap { route in route.match(request.path).map { (route, $0.arguments, $0.suffix) } }
        // `7.safetensors` means the file of 7 if there is such a file, not something named `7.safetensors`.
        if found.contains(where: { $0.2 != nil }) { found.removeAll { $0.2 == nil } }
        if let match = found.first(where: { $0.0.method == method }) { return match }
        var allowed = Set(found.map(\.0.method.rawValue))
        if allowed.contains(Method.get.rawValue) { allowed.insert(Method.head.rawValue) }
        guard !allowed.isEmpty else {
            let hint = NearestRoute.hint(for: request, among: routes)
            throw Problem(.notFound, "The path \(request.target.prefix(200)) does not exist; \(hint)")
        }
        allowed.insert(Method.options.rawValue)
        let list = allowed.sorted().joined(separator: ", ")
        let creation = request.creation
        let purpose = creation.map { " PUT creates a model; POST \($0.gradients) pushes gradients." } ?? ""
        var problem = Problem(
            .methodNotAllowed, "\(request.method.rawValue) is not allowed here.", hint: "Use \(list).\(purpose)",
            command: creation?.command)
        problem.allow = allowed.sorted()
        throw problem
    }
}

extension Request {
    /// What a POST to a model or to the list may have meant, with the command that creates a model.
    fileprivate var creation: (gradients: String, command: String)? {
        guard method == .post, (2...3).contains(path.count), path[0] == "v1", path[1] == "models" else { return nil }
        let model = path.count == 3 && isModelName(path[2]) ? path[2] : "demo"
        let definition = #"{"optimizer":"sgd","learning_rate":0.1,"parameters":{"w":[0,0]}}"#
        let line = "curl -X PUT --json '\(definition)' '\(address("/v1/models/\(model)"))'"
        return ("/v1/models/\(model)/gradients", line)
    }
}
