// A user's own daemon: paramd with optimizers and a schedule of theirs.

import MyMomentum
import ParameterServer

@main
enum OwnDaemon {
    static func main() {
        ParameterServer.run(optimizers: [MyMomentum.self, Touchy.self, Patient.self], schedules: [HalvingLR.self])
    }
}
