// Keys in the order in which they were answered, of one client or of all. Those that went otherwise stay in line until
// they come to its front, so that every step costs the same.

import Names

/// A queue of keys with the number and the bytes of those that count.
struct KeyLine {
    private(set) var count = 0
    private(set) var bytes = 0
    private var keys: [(text: Name, number: Int)] = []
    private var front = 0

    mutating func add(_ text: Name, _ number: Int, bytes: Int) {
        keys.append((text, number))
        count += 1
        self.bytes += bytes
    }

    mutating func remove(bytes: Int) {
        count -= 1
        self.bytes -= bytes
    }

    /// The oldest key that counts.
    mutating func oldest(where isLive: (Name, Int) -> Bool) -> Name? {
        while front < keys.count, !isLive(keys[front].text, keys[front].number) { front += 1 }
        if front > 64, front > keys.count / 2 {
            keys.removeFirst(front)
            front = 0
        }
        return front < keys.count ? keys[front].text : nil
    }
}
