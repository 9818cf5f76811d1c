// The names of query arguments. A route's row lists those that it takes; whatever else a request has is refused before
// the endpoint is asked.

/// A query argument.
enum Query: String, CaseIterable {
    case dryRun = "dry_run"
    case dtype
    case encoding
    case epoch
    case every
    case from
    case group
    case join
    case metaOnly = "meta_only"
    case minStep = "min_step"
    case name
    case pageSize = "page_size"
    case pageToken = "page_token"
    case param
    case partial
    case prefix
    case pull
    case replace
    case rows
    case since
    case stages
    case step
    case to
    case wait

    /// Whether it may be given more than once.
    var isRepeatable: Bool { [.group, .name, .param].contains(self) }

    /// What is pulled, and how its numbers are written.
    static let selection: [Query] = [.group, .name, .dtype, .encoding, .metaOnly]
    /// A step, or a range of steps.
    static let steps: [Query] = [.step, .from, .to, .every]
}
