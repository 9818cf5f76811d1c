// What `decide` has noted about a command is taken back: the command could not be logged.

extension ModelState {
    /// Reverts the notes of `decide`, for a command that could not be logged.
    ///
    /// - Parameter isNewest: whether it has just been decided; otherwise it is the oldest in progress.
    mutating func forget(_ command: Command, isNewest: Bool = false) {
        defer { kept.follow(keptBytes) }
        switch command {
        case .closeRound:
            withdraw(isNewest: isNewest)
        case .push(let push):
            withdraw(isNewest: isNewest)
            if forecast.count == 0 { leaveScratch() }
            if let key = push.key { ledger.abandon(key) }
            ledger.leaveRoom(push.sighting)
        case .register(_, let sighting):
            leaveForecast(isNewest: isNewest)
            ledger.leaveRoom(sighting)
        case .endLeases(let ended):
            leaveForecast(isNewest: isNewest)
            leases.resume(ended)
        case .dismiss: leaveForecast(isNewest: isNewest)
        case .keyed(let key, _, let command):
            keys.abandon(key)
            forget(command, isNewest: isNewest)
        case .admitted(let command, _): forget(command, isNewest: isNewest)
        case .importValues: pool.keepPromise()
        case .reconfigure, .grow, .restore, .note, .report: break
        }
    }

    /// Takes a push or a closing back from the forecast, and returns the arena that it was promised.
    private mutating func withdraw(isNewest: Bool) {
        leaveForecast(isNewest: isNewest)
        pool.keepPromise()
    }

    private mutating func leaveForecast(isNewest: Bool) {
        if isNewest { forecast.removeNewest(roundView, policy) } else { forecast.remove(roundView, policy) }
    }

    /// Releases the memory for updates once no push is in progress.
    mutating func leaveScratch() {
        scratch.follow(0)
        optimizer.leaveRoom()
    }
}
