// The refusal of an epoch, for pushes, heartbeats and barriers: what the worker's epoch is now.

import Names

extension Problem {
    /// - Parameters:
    ///   - worker: the worker.
    ///   - epoch: the epoch of the request.
    ///   - current: the worker's latest epoch; 0 if it never registered.
    ///   - hasEnded: whether that has ended.
    init(fenced worker: Name, _ epoch: Int, current: Int, hasEnded: Bool) {
        let register = "PUT .../workers/\(worker)"
        if current == 0 {
            self.init(
                .fenced, "Worker `\(worker)` is not registered, so it has no epoch \(epoch).",
                hint: "Register it with \(register) and send the epoch of that answer, or leave `epoch` out.")
        } else if epoch > current {
            let latest = hasEnded ? "its latest epoch, \(current), has ended" : "its current epoch is \(current)"
            self.init(
                .fenced, "Worker `\(worker)` has no epoch \(epoch); \(latest).",
                hint: "Send the epoch that its registration returned, or register it again with \(register).")
        } else {
            let latest =
                epoch == current
                ? "it is no longer registered"
                : hasEnded ? "its latest epoch, \(current), has ended too" : "its current epoch is \(current)"
            self.init(
                .fenced, "Epoch \(epoch) of worker `\(worker)` has ended; \(latest).",
                hint: "Register the worker again with \(register) and use the epoch of that answer.")
        }
    }
}
