// A priority queue of deadlines. Each element stores its index in the heap, so cancelling costs O(log n) without a
// search. `Timers` keeps one for all timers of the process.

/// A deadline that is in at most one heap at a time.
public protocol Expiring: AnyObject {
    /// Nanoseconds of the monotonic clock.
    var deadline: UInt64 { get }
    /// The index in its heap; nil outside. Written only by the heap.
    var place: Int? { get set }
}

/// A priority queue by deadline, earliest first; insertion and removal are O(log n).
public struct DeadlineHeap<Element: Expiring> {
    private var elements: [Element] = []

    /// An empty heap.
    public init() {}

    /// The element with the earliest deadline.
    public var first: Element? { elements.first }

    /// The number of elements.
    public var count: Int { elements.count }

    /// Adds an element that is not in a heap.
    public mutating func insert(_ element: Element) {
        elements.append(element)
        element.place = elements.count - 1
        rise(from: elements.count - 1)
    }

    /// Removes an element; does nothing if it is not in the heap.
    public mutating func remove(_ element: Element) {
        guard let place = element.place else { return }
        let last = elements.removeLast()
        element.place = nil
        guard last !== element else { return }
        elements[place] = last
        last.place = place
        sink(from: place)
        rise(from: place)
    }

    private mutating func rise(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard elements[child].deadline < elements[parent].deadline else { return }
            exchange(child, parent)
            child = parent
        }
    }

    private mutating func sink(from start: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < elements.count else { return }
            if child + 1 < elements.count, elements[child + 1].deadline < elements[child].deadline { child += 1 }
            guard elements[child].deadline < elements[parent].deadline else { return }
            exchange(child, parent)
            parent = child
        }
    }

    private mutating func exchange(_ one: Int, _ other: Int) {
        elements.swapAt(one, other)
        elements[one].place = one
        elements[other].place = other
    }
}
