// The rates of a receipt are as many as the model has groups, and thousands of receipts are kept. Consecutive updates
// mostly have the same rates: their receipts share one list, which is counted once, as long as one of them exists. The
// same goes for the hyperparameters of pushes.

import Optimizers

/// The budget's loan for a list of rates or for hyperparameters; ignored when receipts are compared.
struct RatesMemory: Sendable, Equatable {
    private let reservation: Reservation?

    /// Makes an empty loan, for a short list.
    init() { reservation = nil }

    /// Makes the loan for `rates`, beyond the limit if necessary, because they exist already.
    init(_ rates: [Float?], _ budget: MemoryBudget) {
        reservation = rates.isLong ? budget.owe(rates.bytes) : nil
    }

    /// Makes the loan for the hyperparameters of a push, beyond the limit if necessary.
    init(_ hyperparameters: Hyperparameters?, _ budget: MemoryBudget) {
        reservation = hyperparameters.map { budget.owe($0.bytes) }
    }

    static func == (_: RatesMemory, _: RatesMemory) -> Bool { true }
}

extension Receipt {
    /// The largest list of rates that is not counted separately: each receipt counts it as its own.
    static let ratesWithin = 32 + 8 * MemoryLayout<Float?>.stride
}

extension [Float?] {
    /// The size of the list in memory.
    var bytes: Int { 32 + count * MemoryLayout<Float?>.stride }

    /// Whether it is counted separately.
    var isLong: Bool { bytes > Receipt.ratesWithin }
}

/// The lists of receipts being read: each exists once, and is counted once.
struct SharedRates {
    private typealias List = (rates: [Float?], memory: RatesMemory)

    /// Lends memory for them; nil if nothing is counted yet.
    private let budget: MemoryBudget?
    private var byPlace: [UnsafeRawPointer: List] = [:]
    private var byValue: [[Float?]: List] = [:]
    /// The hyperparameters of the previous receipt, with their loan.
    private var brought: (hyperparameters: Hyperparameters?, memory: RatesMemory) = (nil, RatesMemory())

    init(_ budget: MemoryBudget? = nil) { self.budget = budget }

    /// Lets a receipt share its rates and hyperparameters with other receipts that have the same.
    mutating func share(in receipt: inout Receipt) {
        shareBrought(in: &receipt)
        guard receipt.learningRates.isLong, let place = receipt.learningRates.place else { return }
        let list = byPlace[place] ?? list(receipt.learningRates)
        (receipt.learningRates, receipt.ratesMemory) = list
    }

    private mutating func shareBrought(in receipt: inout Receipt) {
        guard let hyperparameters = receipt.hyperparameters else { return }
        if hyperparameters != brought.hyperparameters {
            brought = (hyperparameters, budget.map { RatesMemory(hyperparameters, $0) } ?? RatesMemory())
        }
        (receipt.hyperparameters, receipt.broughtMemory) = brought
    }

    private mutating func list(_ rates: [Float?]) -> List {
        if let known = byValue[rates] { return known }
        let list = (rates, budget.map { RatesMemory(rates, $0) } ?? RatesMemory())
        byValue[rates] = list
        if let place = rates.place { byPlace[place] = list }
        return list
    }
}

/// The long lists of rates of some receipts, each once, for images: otherwise they would be most of the file.
struct RatesTable {
    /// With fewer rates in total, each receipt includes its own, which earlier releases can read.
    private static let fewest = 4096

    private(set) var lists: [[Float?]] = []
    private var numbers: [UnsafeRawPointer: Int] = [:]
    private var rates = 0

    /// Whether a table is shorter than the lists that it replaces.
    var isUseful: Bool { rates > Self.fewest }

    mutating func add(_ rates: [Float?]) {
        guard rates.isLong, let place = rates.place else { return }
        self.rates += rates.count
        guard numbers[place] == nil else { return }
        numbers[place] = lists.count
        lists.append(rates)
    }

    /// The number of a list; nil for a short one, which is written in place.
    func number(of rates: [Float?]) -> Int? {
        guard rates.isLong, let place = rates.place else { return nil }
        return numbers[place]
    }
}

extension [Float?] {
    /// The list's address; two lists at one address are the same.
    fileprivate var place: UnsafeRawPointer? { withUnsafeBytes { $0.baseAddress } }
}
