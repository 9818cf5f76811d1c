// A rule whose update takes as long as a test wants, to show what does not wait for it.

import Glibc
import Optimizers

/// Plain descent that does not start while the file named by PATIENT exists; creates another file to say that it waits.
final class Patient: Optimizer {
    override class var traits: RuleTraits { RuleTraits("Patient") }

    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        if let path = getenv("PATIENT") { wait(for: String(cString: path)) }
        for gradient in scaleGrad(flattenGradients(gradients)) {
            let parameter = parameter(of: gradient)
            guard let rate = try learningRate(of: gradient.index) else { continue }
            for i in gradient.indices { parameter[i] -= rate * gradient[i] }
        }
    }

    private func wait(for path: String) {
        guard access(path, F_OK) == 0 else { return }
        close(creat("\(path)-reached", 0o600))
        while access(path, F_OK) == 0 { usleep(1_000) }
    }
}
