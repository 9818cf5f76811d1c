// The loop's use of libmicrohttpd: its callbacks, and the execution of a transaction's moves. The library calls all of
// them inside MHD_run, on the loop's thread.

import CMicroHTTPD
import Glibc
import Threading

extension EventLoop {
    /// Starts the daemon.
    ///
    /// Its callbacks borrow the loop, which stops the daemon before it ends.
    func startDaemon() -> OpaquePointer? {
        http_daemon_start(
            { context, _, _, method, version, bytes, count, request in
                guard let loop = EventLoop.borrowed(context), let method, let version, let count,
                    let transaction = Transaction.borrowed(request?.pointee)
                else { return .NO }
                // More of a body for a connection that rests: the library keeps it.
                guard transaction.connection.seat == nil else { return .YES }
                let upload = UnsafeRawBufferPointer(start: bytes, count: count.pointee)
                count.pointee = 0
                defer { loop.jobs.note() }
                return loop.handle(transaction, method: method, version: version, upload: upload)
            },
            { context, target, handle in
                guard let loop = EventLoop.borrowed(context), let target, let handle else { return nil }
                return loop.begin(target: target, on: handle)
            },
            { context, _, request, _ in
                guard let loop = EventLoop.borrowed(context), let opaque = request?.pointee else { return }
                request?.pointee = nil
                loop.end(Unmanaged<Transaction>.fromOpaque(opaque).takeRetainedValue())
            },
            { context, handle, _, event in
                guard event == .CONNECTION_NOTIFY_CLOSED else { return }
                EventLoop.borrowed(context)?.forget(http_connection_descriptor(handle))
            },
            Unmanaged.passUnretained(self).toOpaque(), configuration.connectionMemory, roomInLibrary)
    }

    /// Twice the census's limit: the library still counts a connection that has just been cut for a new one.
    private var roomInLibrary: UInt32 { UInt32(clamping: min(configuration.maximumConnections, 1 << 30) * 2) }

    private static func borrowed(_ context: UnsafeMutableRawPointer?) -> EventLoop? {
        context.map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// A first line has arrived: its transaction starts, and is the library's request context until the request ends.
    private func begin(target: UnsafePointer<CChar>, on handle: OpaquePointer) -> UnsafeMutableRawPointer? {
        guard let connection = connections[http_connection_descriptor(handle)] else { return nil }
        let transaction = Transaction(target: target, handle: handle, connection: connection, context: context())
        connection.transaction = transaction
        connection.stage = .head(deadline: now + configuration.headDeadline.nanoseconds)
        counters.requests += 1
        if transaction.target.utf8.count(where: { $0 == UInt8(ascii: "&") }) >= HTTPConfiguration.maximumArguments {
            refuseBeforeParsing(transaction)
        }
        return Unmanaged.passRetained(transaction).toOpaque()
    }

    private func context() -> TransactionContext {
        TransactionContext(
            application: application, loop: self, render: configuration.render,
            maximumIgnoredBytes: configuration.maximumIgnoredBytes)
    }

    /// This many arguments exhaust the library's memory for parsing, and it would never answer.
    private func refuseBeforeParsing(_ transaction: Transaction) {
        transaction.end()
        interrupt(
            transaction.connection, with: configuration.render(.targetTooLong(limit: configuration.maximumTargetBytes)))
        transaction.connection.cut()
    }

    private func handle(
        _ transaction: Transaction, method: UnsafePointer<CChar>, version: UnsafePointer<CChar>,
        upload: UnsafeRawBufferPointer
    ) -> MHD_Result {
        if transaction.awaitsHead {
            let head = head(of: transaction, method: method, version: version)
            let screened = screen(head, from: transaction.connection.remote)
            return perform(transaction.begin(screened, sendsBody: head.sendsBody), of: transaction)
        }
        guard upload.baseAddress != nil else { return perform(transaction.advance(), of: transaction) }
        // The body is empty and more data follows it; the request is complete at the next call.
        guard !upload.isEmpty else { return .YES }
        counters.receivedBytes += upload.count
        return perform(transaction.receive(upload), of: transaction)
    }

    private func screen(_ head: Head, from remote: Remote) -> Result<Request, Refusal> {
        guard !isDraining else { return .failure(.draining) }
        return Result { () throws(Refusal) in try gate.screen(head, from: remote.name) }
    }

    private func head(
        of transaction: Transaction, method: UnsafePointer<CChar>, version: UnsafePointer<CChar>
    ) -> Head {
        transaction.start = method
        let start = UInt(bitPattern: method)
        let layout = HeadLayout(
            whole: start..<start + UInt(http_head_size(transaction.handle)),
            versionEnd: UInt(bitPattern: version + strlen(version)))
        var lines = HeadLines(layout: layout, mostBytes: configuration.maximumHeaderBytes)
        withUnsafeMutablePointer(to: &lines) { lines in
            _ = MHD_get_connection_values_n(
                transaction.handle, .HEADER_KIND,
                { context, _, name, nameCount, value, valueCount in
                    context?.assumingMemoryBound(to: HeadLines.self).pointee.add(
                        UnsafeRawBufferPointer(start: name, count: name == nil ? 0 : nameCount),
                        UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueCount))
                    return .YES
                }, lines)
        }
        return Head(
            method: String(cString: method), target: transaction.target, version: String(cString: version),
            fields: lines.fields, hidesBytes: version != transaction.targetEnd + 1, isExact: lines.layout.isExact)
    }

    private func perform(_ move: Transaction.Move, of transaction: Transaction) -> MHD_Result {
        let connection = transaction.connection
        switch move {
        case .proceed:
            watchPace(of: transaction)
        case .answer(let response):
            let response = backed(response, isOwed: transaction.mayChangeState && response.status < 400)
            connection.stage = .answer(nil)
            connection.answer = (response.body.count, nil)
            http_visit(transaction.handle, 0)
            note(response, isHead: transaction.isHead)
            // We cannot see where the library found the end of a chunked body, and a proxy may have found another one.
            let closing = isDraining || transaction.isChunked
            let isQueued = queue(response, on: transaction.handle, closing: closing) { source in
                let reader = StreamReader(source, on: transaction.handle, connection, self)
                connection.stream = reader
                return reader
            }
            return isQueued ? .YES : .NO
        case .park(let exchange):
            connection.stage = .held
            MHD_suspend_connection(transaction.handle)
            park(exchange, of: transaction)
        case .interrupt(let response):
            interrupt(connection, with: response)
        case .cut:
            return .NO
        }
        return .YES
    }

    /// The reaper's clock for a body starts at the end of its head, or of a rest.
    func watchPace(of transaction: Transaction) {
        switch transaction.connection.stage {
        case .head:
            transaction.connection.stage = .body(Connection.Window(start: now, bytes: 0))
            transaction.connection.beginBody(at: now)
        case .held:
            http_visit(transaction.handle, 0)
            transaction.connection.stage = .body(Connection.Window(start: now, bytes: transaction.receivedBytes))
        case .idle, .body, .answer, .lingering: break
        }
    }

    /// Counts an answer; one that reports a lack of memory makes the slowest transfers release theirs.
    private func note(_ response: Response, isHead: Bool = false) {
        counters.count(response, isHead: isHead)
        if response.asksForRoom { slowTransfers.relieve(response.wantedRoom, of: response.payer) }
    }

    private func interrupt(_ connection: Connection, with response: Response) {
        note(response)
        EarlyAnswer(response).send(to: connection.descriptor)
        linger(connection)
    }

    /// The answer has been sent, or the connection is closed.
    private func end(_ transaction: Transaction) {
        transaction.end()
        transaction.connection.transaction = nil
        transaction.connection.stream = nil
        transaction.connection.hasClearedMemory = true
        if transaction.connection.isLingering { lingeringCount -= 1 }
        transaction.connection.stage = .idle(deadline: now + configuration.idleDeadline.nanoseconds)
        if isDraining { transaction.connection.cut() }
        if transaction.connection.hasFinishedSending { finished.append(transaction.connection) }
    }

    private func forget(_ descriptor: Int32) {
        guard let connection = connections.removeValue(forKey: descriptor) else { return }
        if connection.isLingering { lingeringCount -= 1 }
        census.leave(connection.remote)
    }
}

extension Transaction {
    /// The transaction in the library's request context.
    fileprivate static func borrowed(_ context: UnsafeMutableRawPointer?) -> Transaction? {
        context.map { Unmanaged<Transaction>.fromOpaque($0).takeUnretainedValue() }
    }
}
