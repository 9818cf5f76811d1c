// Workers that push again as soon as they have an answer, and a list of the acknowledged pushes.

import Names
import Optimizers
import Threading

@testable import ParameterServing

/// A push with its receipt.
struct Acknowledged: Sendable {
    var number: Int
    var key: PushKey
    var receipt: Receipt
}

/// Some workers, each with its own numbers.
final class Load: Sendable {
    let acknowledged = Collector<Acknowledged>()
    private let running: Locked<Int>
    private let done = Condition()

    /// Starts the workers; each makes `pushes` pushes, one after the other.
    init(_ model: Model, workers: Int, pushes: Int) {
        running = Locked(workers)
        for worker in 0..<workers {
            Thread { [self] in
                for number in 1...pushes {
                    let key = seq(number, Name("worker \(worker)"))
                    guard let receipt = try? model.push(RecoveryTests.gradients(number), key) else { break }
                    acknowledged.add(Acknowledged(number: number, key: key, receipt: receipt))
                }
                running.withLock { $0 -= 1 }
                done.broadcast()
            }?.detach()
        }
    }

    var isDone: Bool { running.withLock { $0 == 0 } }

    func wait() { running.wait(for: done) { $0 == 0 ? () : nil } }
}
