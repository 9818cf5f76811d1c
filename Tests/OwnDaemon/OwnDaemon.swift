// A custom daemon: paramd with a user's optimizers and schedule.

import MyMomentum
import ParameterServer

@main
enum OwnDaemon {
    static func main() {
        ParameterServer.run(optimizers: [MyMomentum.self, Touchy.self, Patient.self], schedules: [HalvingLR.self])
    }
}
