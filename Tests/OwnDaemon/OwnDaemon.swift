// A user's own daemon: paramd with an optimizer of theirs.

import MyMomentum
import ParameterServer

@main
enum OwnDaemon {
    static func main() async {
        await ParameterServer.run(optimizers: [MyMomentum.self])
    }
}
