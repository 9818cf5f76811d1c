// Ctrl-C, SIGTERM and SIGHUP end the servers of the row that is being measured, and remove its folders, before they end
// the program. SIGKILL leaves both.

import Glibc
import Threading

/// Measures rows until the program is stopped.
struct Interruption {
    private let current = Locked<Workbench?>(nil)

    init() {
        Signals.watch(for: [SIGHUP, SIGINT, SIGTERM])
        let watch = Thread { [current] in
            let number = Signals.next()
            _ = current.withLock { $0 }?.close()
            sleep(1)  // a server that was just starting is ended by its row
            exit(128 + number)
        }
        watch?.detach()
    }

    /// Measures a row, and ends what it used.
    func measure(_ row: Row, _ settings: MeasureSettings) throws -> Figures {
        let bench = Workbench(settings)
        current.withLock { $0 = bench }
        let figures = Result { try row.measure(bench) }
        guard bench.close() else { while true { pause() } }  // the program ends
        return try figures.get()
    }
}
