// A model's state for one use: the copies of its slots are in the model's free arenas, because new pages cost more than
// the copies.

/// The whole state of a model, valid during `use`.
struct LentImage: Sendable {
    private let image: ModelImage
    /// The memory of its slots, which returns to the pool afterwards.
    private let arenas: [Arena]

    init(_ image: ModelImage, slotsIn arenas: [Arena]) {
        (self.image, self.arenas) = (image, arenas)
    }

    /// Passes the state to `body`, which must not keep the slots.
    func use<Result, Failure: Error>(_ body: (ModelImage) throws(Failure) -> Result) throws(Failure) -> Result {
        try withExtendedLifetime(arenas) { () throws(Failure) in try body(image) }
    }
}
