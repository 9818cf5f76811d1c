// Keys in the order in which they were answered, of one client or of all. Keys removed otherwise stay in the line until
// they reach its front or are most of it, so a step has constant average cost.

import Names

/// A queue of keys with the number and the bytes of the valid ones.
struct KeyLine {
    private(set) var count = 0
    private(set) var bytes = 0
    private var keys: [(text: Name, number: Int)] = []
    private var front = 0

    /// All keys in the line, including invalid keys.
    var length: Int { keys.count - front }

    mutating func add(_ text: Name, _ number: Int, bytes: Int) {
        keys.append((text, number))
        count += 1
        self.bytes += bytes
    }

    mutating func remove(bytes: Int) {
        count -= 1
        self.bytes -= bytes
    }

    /// Counts a valid key that has become longer or shorter.
    mutating func change(by bytes: Int) { self.bytes += bytes }

    /// Removes invalid keys once they are most of the line.
    mutating func tidy(where isLive: (Name, Int) -> Bool) {
        guard length > 2 * count + 64 else { return }
        keys = keys[front...].filter { isLive($0.text, $0.number) }
        front = 0
    }

    /// The oldest valid key.
    mutating func oldest(where isLive: (Name, Int) -> Bool) -> Name? {
        while front < keys.count, !isLive(keys[front].text, keys[front].number) { front += 1 }
        if front > 64, front > keys.count / 2 {
            keys.removeFirst(front)
            front = 0
        }
        return front < keys.count ? keys[front].text : nil
    }
}
