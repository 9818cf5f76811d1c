// The mistakes in one body. There can be as many as members, with a few sentences each: the first ones are listed, the
// others counted.

import Optimizers

/// Mistakes in the order found.
struct ComplaintList {
    /// The member of the body that contains the mistakes, as a JSON pointer.
    let section: String
    private var listed: [Complaint] = []
    private var unlisted = 0

    init(section: String) { self.section = section }

    var isEmpty: Bool { listed.isEmpty }

    /// The number of mistakes.
    var count: Int { listed.reduce(unlisted) { $0 + $1.count } }

    /// The first mistakes, and a last entry for all others.
    var complaints: [Complaint] {
        guard unlisted > 0, let last = listed.last else { return listed }
        var rest = Complaint(
            pointer: section, exception: last.exception,
            detail: "\((unlisted + last.count).grouped) more mistakes are not listed; fix these first")
        rest.count = unlisted + last.count
        return listed.dropLast() + [rest]
    }

    /// Adds a mistake; its text is only made if it is listed.
    mutating func add(_ complaint: @autoclosure () -> Complaint) {
        if listed.count < FixedLimits.listedMistakes { listed.append(complaint()) } else { unlisted += 1 }
    }
}

extension Int {
    /// The number in groups of three digits: 1,134.
    var grouped: String {
        var text = ""
        for (place, digit) in String(self).reversed().enumerated() {
            if place > 0, place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
