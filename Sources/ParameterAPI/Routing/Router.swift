// Finds the row for a request. The table is short and a path is a handful of segments: a linear search costs less than
// the system call that follows it.

import HTTPServing

/// The routes of the API.
struct Router: Sendable {
    let routes: [Route]

    /// The endpoint for a request.
    ///
    /// - Throws: `notFound` for an unknown path; `methodNotAllowed`, with the methods that the path knows.
    func find(_ request: Request) throws(Problem) -> (route: Route, arguments: [String: String], suffix: String?) {
        let method = request.method == .head ? .get : request.method
        var allowed: Set<String> = []
        for route in routes {
            guard let match = route.match(request.path) else { continue }
            if route.method == method { return (route, match.arguments, match.suffix) }
            allowed.insert(route.method.rawValue)
            if route.method == .get { allowed.insert(Method.head.rawValue) }
        }
        guard !allowed.isEmpty else {
            throw Problem(.notFound, "There is nothing at \(request.target.prefix(200)); GET / lists what there is.")
        }
        allowed.insert(Method.options.rawValue)
        let list = allowed.sorted().joined(separator: ", ")
        var problem = Problem(.methodNotAllowed, "\(request.method.rawValue) is not known here; use \(list).")
        problem.allow = allowed.sorted()
        throw problem
    }
}
