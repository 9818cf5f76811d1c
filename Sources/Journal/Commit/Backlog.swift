// The journal thread's own queue: items taken from the commit queue and not yet written. An array slice would keep
// removed items alive, and with them the caller's gradient buffers.

/// First in, first out; releases removed items at once.
struct Backlog<Item> {
    private var items: [Item?] = []
    private var head = 0

    var first: Item? { head < items.count ? items[head] : nil }
    var isEmpty: Bool { head == items.count }

    mutating func append(_ more: [Item]) {
        if head > items.count / 2 {
            items.removeFirst(head)
            head = 0
        }
        items += more.map(Optional.some)
    }

    mutating func removeFirst() {
        guard head < items.count else { return }
        items[head] = nil
        head += 1
    }
}
