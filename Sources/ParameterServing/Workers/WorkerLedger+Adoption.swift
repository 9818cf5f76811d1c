// The receipts of pushes that came with the file of a new model. Their workers belong to the model of the file.

import Names

extension WorkerLedger {
    /// Stores the receipt of a push of a file.
    ///
    /// Its worker is not registered here: an epoch of the file has ended. Of a worker, only the pushes of its latest
    /// epoch count. Its lower numbers may have been applied before the file was saved, so that they are treated as
    /// forgotten.
    mutating func adopt(_ key: PushKey, _ fingerprint: Fingerprint, _ receipt: Receipt, seen sighting: Sighting?) {
        epochs.note(key.epoch)
        guard key.epoch >= epoch(of: key.worker) else { return }
        change(key.worker) { worker in
            if key.epoch > worker.epoch { worker = Worker(epoch: key.epoch, hasEnded: true) }
        }
        finish(key, fingerprint, receipt, seen: sighting)
        change(key.worker) { $0.forgottenThrough = $0.lastSeq }
    }
}
