// The names of query arguments. A route's row lists those that it accepts; all others are refused before the endpoint
// is called.

/// A query argument.
enum Query: String, CaseIterable {
    case average
    case dryRun = "dry_run"
    case dtype
    case encoding
    case epoch
    case every
    case from
    case group
    case join
    case lastEventID = "last_event_id"
    case metaOnly = "meta_only"
    case minStep = "min_step"
    case name
    case pageSize = "page_size"
    case pageToken = "page_token"
    case param
    case partial
    case points
    case prefix
    case pull
    case replace
    case rows
    case series
    case since
    case stages
    case step
    case to
    case ttl
    case types
    case wait
    case worker

    /// Whether it may be repeated.
    var isRepeatable: Bool { [.group, .name, .param, .series].contains(self) }

    /// The selection of a pull, and the encoding of its numbers.
    static let selection: [Query] = [.group, .name, .average, .dtype, .encoding, .metaOnly]
    /// A step, or a range of steps.
    static let steps: [Query] = [.step, .from, .to, .every]
}
