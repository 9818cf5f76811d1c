// The timer heap against a sorted list.

import Testing

@testable import Threading

@Suite("Deadline heap")
struct DeadlineHeapTests {
    final class Item: Expiring {
        let deadline: UInt64
        var place: Int?
        init(_ deadline: UInt64) { self.deadline = deadline }
    }

    @Test("whatever is inserted and removed, the earliest comes first")
    func order() {
        var generator = SystemRandomNumberGenerator()
        for count in 1...60 {
            var heap = DeadlineHeap<Item>()
            let items = (0..<count).map { _ in Item(UInt64.random(in: 0..<30, using: &generator)) }
            for item in items { heap.insert(item) }
            let removed = items.shuffled(using: &generator).prefix(count / 3)
            for item in removed { heap.remove(item) }
            for item in removed { heap.remove(item) }
            var rest = items.filter { item in !removed.contains { $0 === item } }.map(\.deadline).sorted()
            while let first = heap.first {
                #expect(first.deadline == rest.removeFirst())
                heap.remove(first)
            }
            #expect(rest.isEmpty)
        }
    }
}
