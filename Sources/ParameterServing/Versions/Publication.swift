// The only place where parameters become visible: broadcast_params. One short lock protects the reference to the newest
// version and the pulls that wait for a newer one. A pull never waits for an update: it takes the reference.

import Threading

/// The newest version of a model, and the pulls that wait for the next.
///
/// 1. Each version has a higher number than the previous one and belongs to the same model.
///
/// Whether a pull is answered or waits, and which pulls a new version wakes, is decided under one lock: no version can
/// come between the decision and the place in the list, so no wake-up is lost.
public final class Publication: Sendable {
    private struct State {
        var current: PublishedVersion
        /// Earlier versions, the newest last.
        var retained: [PublishedVersion] = []
        var waiting: [Int: WaitingPull] = [:]
        var nextToken = 0
        var end: ServingError?
        var divergence: String?
    }

    private let state: Locked<State>
    private let mostRetained, mostBytes: Int
    private let places: WaitingPlaces

    /// Starts with a version; at most `retaining` earlier ones with `bytes` of values stay readable, and each waiting
    /// pull takes a place.
    init(
        _ first: PublishedVersion, divergence: String? = nil, retaining mostRetained: Int = 0, bytes: Int = .max,
        places: WaitingPlaces = WaitingPlaces()
    ) {
        state = Locked(State(current: first, divergence: divergence))
        (self.mostRetained, mostBytes) = (mostRetained, bytes)
        self.places = places
    }

    /// The newest version.
    public var current: PublishedVersion { state.withLock { $0.current } }

    /// The newest version, or an earlier one that is still retained.
    public func version(_ number: Int) -> PublishedVersion? {
        state.withLock { state in
            state.current.version == number ? state.current : state.retained.last { $0.version == number }
        }
    }

    /// The oldest version that can be read.
    public var oldest: PublishedVersion { state.withLock { $0.retained.first ?? $0.current } }

    /// The parameter that an update made non-finite, until a restore or an import.
    public var divergence: String? { state.withLock { $0.divergence } }

    /// The number of waiting pulls.
    public var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Publishes a version, and takes every pull that it answers from the list, to be woken by the caller.
    ///
    /// - Parameters:
    ///   - optimResult: whether the update succeeded; false publishes nothing and wakes no one.
    ///   - next: the version to publish.
    ///   - divergence: the parameter that diverged, if the model still waits for a restore or an import.
    /// - Returns: those pulls.
    /// - Source: seed, `broadcast_params(optim_result)`: the broadcast follows a completed update, in group order.
    func broadcastParams(optimResult: Bool, _ next: PublishedVersion, divergence: String? = nil) -> Broadcast {
        guard optimResult else { return Broadcast(version: next, pulls: []) }
        // A large version costs the next pushes new memory as long as it is readable.
        let most = next.arena.isPoolAtEase ? min(mostRetained, mostBytes / max(1, next.bytes)) : 0
        let (woken, past) = state.withLock { state in
            invariant(
                next.version > state.current.version && next.uid == state.current.uid,
                "1: \(next.cursor) after \(state.current.cursor)")
            let past = retire(keeping: most, in: &state)
            state.current = next
            state.divergence = divergence
            let woken = state.waiting.values.filter { $0.condition.isMet(by: next) }
            for pull in woken { state.waiting[pull.token.number] = nil }
            return (woken, past)
        }
        places.free(woken.count)
        for version in past { version.encodings.clear() }
        return Broadcast(version: next, pulls: woken)
    }

    /// Adds the newest version to the retained ones, of which `most` are kept.
    ///
    /// - Returns: all earlier versions, with those that are dropped, to be released outside the lock.
    private func retire(keeping most: Int, in state: inout State) -> [PublishedVersion] {
        state.retained.append(state.current)
        defer { state.retained.removeFirst(max(0, state.retained.count - most)) }
        return state.retained
    }

    /// Answers immediately if the newest version meets the condition; otherwise keeps the pull until one does, or
    /// refuses it with `tooManyWaiting`.
    ///
    /// - Returns: a token for `cancel`, or nil if `resume` has been called.
    public func wait(
        for condition: PullCondition, resume: @escaping @Sendable (PullResult) -> Void
    ) -> WaitToken? {
        enum Turn { case answer(PullResult), parked(WaitToken) }
        let turn: Turn = state.withLock { state in
            if let end = state.end ?? condition.refusal(at: state.current) { return .answer(.ended(end)) }
            if condition.isMet(by: state.current) { return .answer(.version(state.current)) }
            guard places.take() else { return .answer(.ended(places.refusal)) }
            let token = WaitToken(number: state.nextToken)
            state.nextToken += 1
            state.waiting[token.number] = WaitingPull(token: token, condition: condition, resume: resume)
            return .parked(token)
        }
        switch turn {
        case .parked(let token): return token
        case .answer(let result):
            resume(result)
            return nil
        }
    }

    /// Removes a waiting pull whose deadline has passed or whose client has left.
    public func cancel(_ token: WaitToken) {
        let wasWaiting = state.withLock { $0.waiting.removeValue(forKey: token.number) != nil }
        if wasWaiting { places.free(1) }
    }

    /// Answers all waiting and future pulls with `reason`.
    func end(_ reason: ServingError) {
        let waiting = state.withLock { state in
            state.end = reason
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        places.free(waiting.count)
        for pull in waiting.sorted(by: WaitingPull.comesBefore) { pull.resume(.ended(reason)) }
    }

    /// Records that the update after the newest version diverged.
    func markDiverged(_ parameter: String) {
        state.withLock { $0.divergence = parameter }
    }
}

/// The pulls that a version answers.
///
/// Resuming thousands takes a while: the push that made the version is answered first.
struct Broadcast {
    let version: PublishedVersion
    let pulls: [WaitingPull]

    /// Answers them; pulls of a group in the update order of groups.
    func wake() {
        for pull in pulls.sorted(by: WaitingPull.comesBefore) { pull.resume(.version(version)) }
    }
}
