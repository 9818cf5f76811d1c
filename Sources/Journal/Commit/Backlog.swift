// The journal thread's own queue: items that it has taken but not yet written. An array's slice would keep what was
// removed from its front alive, and with it the caller's gradient buffers.

/// First in, first out; what is taken out is let go of at once.
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
