// The rows of the table. Each names its limit; a ratio of 1 means that paramd reaches it.

/// One row.
struct Row: Sendable {
    /// Its name for `--only`.
    let name: String
    let title: String
    /// What is counted, and the limit.
    let unit, limit: String
    /// The ratio that paramd should reach; where less is better, should not exceed.
    let goal: Double
    let lessIsBetter: Bool
    /// What the limit must reach, as it does on a quiet machine of the kind that the goals are for; if it does not, the
    /// row has no ratio.
    let floor: Double
    /// Measures it.
    let measure: @Sendable (Workbench) throws -> Figures

    init(
        _ name: String, _ title: String, _ unit: String, limit: String, goal: Double, lessIsBetter: Bool = false,
        floor: Double = 0, measure: @escaping @Sendable (Workbench) throws -> Figures
    ) {
        (self.name, self.title, self.unit, self.limit, self.goal) = (name, title, unit, limit, goal)
        (self.lessIsBetter, self.floor, self.measure) = (lessIsBetter, floor, measure)
    }

    /// The ratio, unless the limit was too slow to be one.
    func ratio(_ figures: Figures) -> Double? { figures.limit >= floor ? figures.ratio : nil }

    /// Whether the goal is reached.
    func holds(_ figures: Figures) -> Bool? {
        ratio(figures).map { lessIsBetter ? $0 <= goal : $0 >= goal }
    }

    static let all = kernels + steps + pushes + smallRequests
}
