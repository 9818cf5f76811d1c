// First in, first out: a loop's pending messages, models that are ready to run, slices of work.

/// A queue that removes its first element without moving the others.
public struct Fifo<Element> {
    @usableFromInline var elements: [Element?] = []
    @usableFromInline var head = 0
    /// The least number of removed elements before the others are moved.
    @usableFromInline static var mostGone: Int { 1024 }

    /// Makes an empty queue.
    @inlinable
    public init() {}

    /// The number of elements.
    @inlinable
    public var count: Int { elements.count - head }
    /// Whether the queue is empty.
    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// Appends an element.
    @inlinable
    public mutating func append(_ element: Element) { elements.append(element) }

    /// Takes back the element that was appended last; nil if there is none.
    @inlinable
    public mutating func popLast() -> Element? { isEmpty ? nil : elements.removeLast() }

    /// Takes the element that has waited longest; nil if there is none.
    @inlinable
    public mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        defer {
            elements[head] = nil
            head += 1
            if head == elements.count || head > Self.mostGone, head * 2 >= elements.count {
                elements.removeFirst(head)
                head = 0
            }
        }
        return elements[head]
    }
}
