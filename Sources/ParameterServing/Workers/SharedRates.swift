// The rates of a receipt are as many as the model has groups, and receipts are kept in thousands. Those of one update
// after another are mostly the same: they share one list, which is counted once, as long as a receipt has it.

/// What the budget lends for a list of rates; tells no receipts apart.
struct RatesMemory: Sendable, Equatable {
    private let reservation: Reservation?

    /// Nothing, for a short list.
    init() { reservation = nil }

    /// What `rates` take; counted beyond the limit if need be, for they are there.
    init(_ rates: [Float?], _ budget: MemoryBudget) {
        reservation = rates.isLong ? budget.owe(rates.bytes) : nil
    }

    static func == (_: RatesMemory, _: RatesMemory) -> Bool { true }
}

extension Receipt {
    /// The most that a list of rates takes without being counted for itself: each receipt counts it as its own.
    static let ratesWithin = 32 + 8 * MemoryLayout<Float?>.stride
}

extension [Float?] {
    /// What the list takes in memory.
    var bytes: Int { 32 + count * MemoryLayout<Float?>.stride }

    /// Whether it is counted for itself.
    var isLong: Bool { bytes > Receipt.ratesWithin }
}

/// The lists of receipts that are read: each is there once, and counted once.
struct SharedRates {
    private typealias List = (rates: [Float?], memory: RatesMemory)

    /// What lends memory for them; nil where nothing is counted yet.
    private let budget: MemoryBudget?
    private var byPlace: [UnsafeRawPointer: List] = [:]
    private var byValue: [[Float?]: List] = [:]

    init(_ budget: MemoryBudget? = nil) { self.budget = budget }

    /// Has a receipt share its rates with the others that have the same ones.
    mutating func share(in receipt: inout Receipt) {
        guard receipt.learningRates.isLong, let place = receipt.learningRates.place else { return }
        let list = byPlace[place] ?? list(receipt.learningRates)
        (receipt.learningRates, receipt.ratesMemory) = list
    }

    private mutating func list(_ rates: [Float?]) -> List {
        if let known = byValue[rates] { return known }
        let list = (rates, budget.map { RatesMemory(rates, $0) } ?? RatesMemory())
        byValue[rates] = list
        if let place = rates.place { byPlace[place] = list }
        return list
    }
}

/// The long lists of rates of some receipts, each once, for images: there they would be most of the file.
struct RatesTable {
    /// Fewer rates in all are written with each receipt, as earlier releases read them.
    private static let fewest = 4096

    private(set) var lists: [[Float?]] = []
    private var numbers: [UnsafeRawPointer: Int] = [:]
    private var rates = 0

    /// Whether a table is shorter than what it stands for.
    var isUseful: Bool { rates > Self.fewest }

    mutating func add(_ rates: [Float?]) {
        guard rates.isLong, let place = rates.place else { return }
        self.rates += rates.count
        guard numbers[place] == nil else { return }
        numbers[place] = lists.count
        lists.append(rates)
    }

    /// The number of a list; nil for a short one, which is written where it belongs.
    func number(of rates: [Float?]) -> Int? {
        guard rates.isLong, let place = rates.place else { return nil }
        return numbers[place]
    }
}

extension [Float?] {
    /// Where it is; two lists that are at one place are one.
    fileprivate var place: UnsafeRawPointer? { withUnsafeBytes { $0.baseAddress } }
}
