// The shape of nested lists, determined while their numbers are read.

/// Counts brackets and numbers, and checks that all lists of a level have the same length.
struct NestedShape {
    /// The number of members so far in each open list, outermost first.
    private(set) var counts: [Int] = []
    /// The length of each level's lists; -1 until the first of them is closed.
    private var lengths: [Int] = []
    /// The level of the numbers; -1 until a number comes or an empty list is closed.
    private var leafLevel = -1
    private(set) var isRagged = false

    /// The dimensions, once all lists are closed.
    var dimensions: [Int] { lengths }

    /// The indices of the next number.
    ///
    /// The count of an outer list includes the list that is open in it.
    var place: [Int] { counts.dropLast().map { $0 - 1 } + counts.suffix(1) }

    /// Open lists.
    var level: Int { counts.count }

    mutating func open() {
        countMember()
        counts.append(0)
        if leafLevel >= 0, level > leafLevel { isRagged = true }
        if lengths.count < level { lengths.append(-1) }
    }

    mutating func close() {
        let length = counts.removeLast()
        let level = counts.count
        if length == 0, leafLevel < 0 { leafLevel = level + 1 }
        if lengths[level] < 0 { lengths[level] = length }
        if lengths[level] != length { isRagged = true }
    }

    mutating func add(numbers: Int) {
        guard numbers > 0 else { return }
        if leafLevel < 0 { leafLevel = level }
        if leafLevel != level { isRagged = true }
        if level > 0 { counts[level - 1] += numbers }
    }

    private mutating func countMember() {
        if level > 0 { counts[level - 1] += 1 }
    }
}

/// Products of dimensions.
enum Dimensions {
    /// The number of elements; nil if a dimension is negative or the product exceeds 64 bits.
    static func product(_ dimensions: [Int]) -> Int? {
        var product = 1
        for dimension in dimensions where dimension != 0 {
            let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
            if dimension < 0 || overflow { return nil }
            product = next
        }
        return dimensions.contains(0) ? 0 : product
    }

    /// The indices of the element at `offset`, row-major.
    static func place(of offset: Int, in dimensions: [Int]) -> [Int] {
        var rest = offset
        var place: [Int] = []
        for dimension in dimensions.reversed() where dimension > 0 {
            place.append(rest % dimension)
            rest /= dimension
        }
        return place.reversed()
    }

    /// The dimensions as in an error message: `[2,3]`.
    static func text(_ dimensions: [Int]) -> String {
        "[" + dimensions.map(String.init).joined(separator: ",") + "]"
    }
}
