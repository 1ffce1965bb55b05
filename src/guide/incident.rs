//! The first incident: what log lines, statuses, close codes, errors and metrics mean, and what to do.
//!
//! # Where to look first
//!
//! 1. The server's log. All events have the target `tower_websocket`. Refused handshakes and failed handlers are at level
//!    `info` and above; how each connection ended is at level `debug`. Turn it on with your subscriber
//!    (`RUST_LOG=tower_websocket=debug` where it reads that), or with `WEBSOCKET_DEBUG=1` where the program has no subscriber.
//! 2. [`Upgrader::on_end`](crate::Upgrader::on_end), which is called at the end of each connection, with how it ended and
//!    its counters:
//!
//!    ```
//!    use tower_websocket::Upgrader;
//!
//!    let upgrader = Upgrader::new().on_end(|request, end, stats| {
//!        let path = request.uri.path();
//!        match end {
//!            Ok(frame) => println!("{path}: closed with {frame} after {} messages", stats.messages_received),
//!            Err(error) => println!("{path}: {:?} after {} messages", error.kind(), stats.messages_received),
//!        }
//!    });
//!    ```
//! 3. The metrics `websocket.closed_connections` and `websocket.rejected_connections`, with the feature `metrics`, by their
//!    labels `error.type` and `websocket.close.code`.
//! 4. In a browser, the network tab of the developer tools: it shows the status of the handshake and the frames. A page's
//!    script sees neither the status nor the body of a refusal.
//!
//! # Symptoms
//!
//! | what you see | usual causes | what to do |
//! | --- | --- | --- |
//! | 1006 in the browser, at once | The handshake was refused, or never reached the server. Browsers report every failed handshake as 1006. | Read the status in the network tab, and the server's line `handshake refused`. Without such a line, a proxy or a route has answered. |
//! | 1006 in the browser, later | No close frame arrived: the network was lost, a proxy ended the connection, the server's process ended without [`Shutdown`](crate::Shutdown), or the server dropped a connection that accepted no data ([`ErrorKind::WriteTimeout`](crate::ErrorKind::WriteTimeout)). | Compare with the error kind that the server has for the same connection, below. |
//! | connections end after the same time of silence | A proxy's idle timeout is shorter than the time between two pings. | Keep [`Keepalive::interval`](crate::Keepalive::interval) below the timeout: see [`proxies`](super::proxies). |
//! | 403, only behind a proxy | The proxy replaces `Host`, so that the page's origin is another host. The log line ends with this hint. | Pass `Host` on, or use [`OriginPolicy::trusted_proxies`](crate::OriginPolicy::trusted_proxies): see [`proxies`](super::proxies). |
//! | 403, only from another site's page | The default: other origins must be listed. | [`OriginPolicy::list`](crate::OriginPolicy::list). |
//! | 400 or 426 behind a proxy, or the page instead of the WebSocket | The proxy has not passed `Connection` and `Upgrade` on, or speaks HTTP/1.0 to the server. The log says `a request that looks like a WebSocket handshake is none`, or `.. sent this request as HTTP/1.0`. | See [`proxies`](super::proxies). |
//! | 405 over HTTP/2, and HTTP/1.1 works | Over HTTP/2 a handshake is a `CONNECT`; the route accepts `GET` only. | `any(handler)` with the extractor, [`Router::layer`] instead of `route_layer` with the layer. |
//! | a WebSocket to a wrong path opens and ends at once over HTTP/2 | The inner service or the router's fallback answers 200 to every method, also to the `CONNECT` of a handshake. | Let it answer `GET` only: see [`server`](super::server#http2). |
//! | 500 | The server performs no upgrades, or another layer has taken hyper's `OnUpgrade`. The log has the remedy at level `error`. | `serve_connection_with_upgrades` or `with_upgrades()`: see [`server`](super::server). |
//! | 429 or 503 with `Retry-After` | [`max_connections_per_key`](crate::Upgrader::max_connections_per_key) (429), [`max_connections`](crate::Upgrader::max_connections) (503), or a shutdown (503). | Behind a proxy, 429 for all clients means that the key is the proxy's address. Check that handlers return: a connection counts until its handler has ended. |
//! | the handshake is answered, the handler never runs | The response did not reach the client as it was: a layer outside has replaced its status or body, or the server drops upgrades (tonic's own `Server`). | The log says which at level `warn` or `error`. |
//! | many keepalive timeouts at once | A network, a proxy or a firewall on the path has failed, and drops packets without ending the connections. | Find out what these clients have in common, such as `peer` or the proxy. |
//! | many `Disconnected` at once, and the clients report timeouts | A proxy was restarted, or handlers block the server's threads, so that pings are not answered. | Check `websocket.round_trip.duration`, and move blocking code into `spawn_blocking`. |
//! | single keepalive timeouts | Phones that lost their network, laptops that were closed. | Nothing: the client reconnects. For slow mobile links choose a longer [`Keepalive::timeout`](crate::Keepalive::timeout). |
//! | 1009 | A message is larger than [`Limits::max_message_size`](crate::Limits::max_message_size) (1 MiB), after inflating. Clients can have such a limit too, and then close with 1009. | Send smaller messages, or raise the limit. |
//! | 1013 `too slow for a topic` | A member of a [`Hub`](crate::Hub) topic with [`Overflow::Close`](crate::Overflow::Close) had more than [`Topic::capacity`](crate::Topic::capacity) publications waiting. | Let the client reconnect and use a [`History`](crate::History), choose another [`Overflow`](crate::Overflow), or publish less. |
//! | 1013 `out of memory for messages` | The [`Budget`](crate::Budget) for large messages is used up: 1 GiB for the process by default. | Check `websocket.budget.usage`; lower `max_message_size`, or give each endpoint its own budget. |
//! | all WebSockets of one browser or proxy end at once over HTTP/2 | The HTTP/2 connection that they share has ended. `ENHANCE_YOUR_CALM`: too many small frames were not read by handlers. | Set the windows of HTTP/2, and read in the handlers or use [`ignore_incoming`](crate::Manager::ignore_incoming): see [`server`](super::server). |
//! | new tabs or `fetch` calls wait without an error | The streams of the browser's HTTP/2 connection are in use (hyper allows 200). The log says `many WebSockets share one HTTP/2 connection` from 100 on, where the peer's address is known. | `max_concurrent_streams`, fewer sockets for each page, or WebSockets under another host name or over HTTP/1.1. |
//! | messages arrive 40 ms late | Nagle's algorithm: `TCP_NODELAY` is not set, under TLS or over HTTP/2. | [`prepare_socket`](crate::prepare_socket) where the server accepts connections: see [`server`](super::server). |
//! | `accept` fails with "too many open files", or clients wait for a connection | The process has no file descriptor left. | Raise the limit (`ulimit -n`), and limit the time before the first request: see [`server`](super::server). |
//!
//! [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
//!
//! # Log lines
//!
//! | level | line | meaning | what to do |
//! | --- | --- | --- | --- |
//! | error | `the server did not hand the upgraded connection over; ..` | The server is not set up for upgrades. | Serve with upgrades, as the line says. |
//! | error | `the response to the handshake was not sent within the handshake time; ..` | An outer layer has held back or replaced the response. | Check the layers that change the status or the body of responses. |
//! | error | `handshake refused: the server is not set up for upgrading connections: ..` | The request had no `OnUpgrade`: 500. | As above; or find the layer that removes `OnUpgrade` from the request's extensions. |
//! | error | `handler panicked` | The peer got 1011. Other connections are not affected. | The panic's own message is on standard error. |
//! | error | `` `on_end` panicked `` | Your function of [`Upgrader::on_end`](crate::Upgrader::on_end) has panicked. The connection had ended before. | Correct it. |
//! | error | ``the function of `Topic::on_presence` panicked`` | Your function of [`Topic::on_presence`](crate::Topic::on_presence) has panicked. The change is made, without a message. | Correct it. |
//! | warn | `handler failed` | The handler returned an error that is neither the ordinary end of its own connection nor a normal close. The peer got 1011, or the [`CloseFrame`](crate::CloseFrame) in the error. | `error` has all causes. |
//! | warn | `handshake refused: ..` with 403, 429 or 503 | Origin, host, or too many connections. `origin`, `host`, `policy` and `peer` are fields of the line. | See the statuses below. |
//! | warn | `the connection ended before the response was out, or a layer outside has replaced the response` | The client left early, or an outer layer replaced the 101. | Nothing, if it is rare. |
//! | warn | ``the keepalive's interval is not shorter than its timeout: no peer is pinged`` | Clients that are silent for [`Keepalive::timeout`](crate::Keepalive::timeout) are disconnected, though they are there. | Set both: [`Keepalive::interval`](crate::Keepalive::interval) to less than half of the timeout. |
//! | warn | `many WebSockets share one HTTP/2 connection: ..` | One HTTP/2 connection has 100 WebSockets. | See the symptoms above. |
//! | warn | `no connection to the broker` | A hub's broker cannot be reached, or the connection to it has ended. The hub reconnects. | `error` has the cause. Until then publications wait: see [`brokers`](super::brokers). |
//! | warn | `publications are lost` | A broker has lost its data or the end of them, or a server was away for longer than the broker keeps publications. | Members get the message of [`Topic::tell_gap`](crate::Topic::tell_gap). Check how the broker stores its data. |
//! | error | `a publication is refused` | The broker has refused it for good, for example because it is too large. No member gets it. | `error` has the cause. |
//! | warn | `the log of a topic has a lost publication, or something that is none` | A publication that the broker has refused once came behind a later one: members get the message of [`Topic::tell_gap`](crate::Topic::tell_gap). Or something else writes to the broker under the hub's prefix. | If it was not preceded by `publications are lost` at one of the servers, use another prefix. |
//! | error | `the log of a topic cannot be read` | Something else uses its key or subject at the broker. Other topics are not affected. | `error` has the cause. Use another prefix. |
//! | warn | `a change of presence is not published` | Too many publications wait for the broker. | See `no connection to the broker`. |
//! | error | ``the function of `Topic::encode` panicked`` | Your function of [`Topic::encode`](crate::Topic::encode) has panicked: in a hub with a broker the publication is a gap, and a change of presence has no message. | The panic's message is on standard error. |
//! | error | ``the function of `Topic::tell_gap` panicked`` | Your function of [`Topic::tell_gap`](crate::Topic::tell_gap) has panicked: members get no message about a gap. | The panic's message is on standard error. |
//! | warn | `no periodic update` | The `get` function of [`Topic::periodic`](crate::Topic::periodic) has failed, or its value could not be serialised or published. The next interval tries again. | `error` has the cause. |
//! | error | ``a function of `Topic::periodic` panicked`` | Your function has panicked. The next interval tries again. | The panic's own message is on standard error. |
//! | error | `a message panicked when it was dropped` | The bytes of a message are your own type, whose `Drop` has panicked. | Correct it. |
//! | info | `handshake refused: ..` with another status | The request is not a valid handshake, or a shutdown is in progress. | Nothing, unless it is your own client. |
//! | info | `a request that looks like a WebSocket handshake is none: ..` | A proxy has removed `Connection` and `Upgrade`. | See [`proxies`](super::proxies). |
//! | info | `failed` | The connection ended as the peer broke a rule, exceeded a limit, or accepted no data. | `error` has the kind; see below. |
//! | debug | `open`, `closed`, `failed` | Ordinary: closed by a close frame, lost, silent, aborted, or at the end of its lifetime. | Nothing. |
//! | debug | `handler ended with its connection` | The handler returned the error of its own connection. | Nothing. |
//! | debug | `handler ended with a normal close` | The handler returned a [`CloseFrame`](crate::CloseFrame) with 1000 or 1001 as its error. | Nothing. |
//! | debug | `aborted before it was open` | The deadline of a shutdown passed during the handshake. | Nothing. |
//!
//! # Statuses of refused handshakes
//!
//! The response's body is one sentence that says what was wrong, and its extensions have the
//! [`Rejection`](crate::Rejection). [`Upgrader::on_rejection`](crate::Upgrader::on_rejection) replaces the response. The last
//! column is the label `error.type` of `websocket.rejected_connections`.
//!
//! | status | [`RejectionKind`](crate::RejectionKind) | usual cause | metric |
//! | --- | --- | --- | --- |
//! | 400 | `Body` | The request has a body, or over HTTP/2 any `Content-Length`. With one that is not zero, hyper ends the connection before the layer gets the request. | `body` |
//! | 400 | `HttpVersion` | A proxy speaks HTTP/1.0 to the server. | `http_version` |
//! | 400 | `InvalidExtensions` | A client sends a malformed `Sec-WebSocket-Extensions`. | `invalid_extensions` |
//! | 400 | `InvalidHost` | No `Host`, two, or one that is malformed; over HTTP/2 a `Host` that differs from `:authority`. | `invalid_host` |
//! | 400 | `InvalidKey` | No `Sec-WebSocket-Key`: often a request made by hand. | `invalid_key` |
//! | 400 | `InvalidSubprotocol` | A subprotocol that is not an HTTP token, such as one with a space or a base64 `=`. | `invalid_subprotocol` |
//! | 400 | `InvalidTarget` | The request's target is not the path of an `http` or `https` URL. | `invalid_target` |
//! | 403 | `HostNotAllowed` | The host is not in [`allowed_hosts`](crate::OriginPolicy::allowed_hosts), for instance an address instead of a name, or because a proxy has replaced `Host`: the log line then says so. | `host_not_allowed` |
//! | 403 | `Origin` | A page of another site, or a proxy that replaces `Host`; `Sec-Fetch-Site: cross-site` without an `Origin`. | `origin` |
//! | 405 | `Method` | A method other than `GET` over HTTP/1.1. | `method` |
//! | 426 | `NotWebSocket` | The request is not a handshake, and the layer has no inner service: a plain request, or a proxy that removes `Upgrade`. | `not_websocket` |
//! | 426 | `Version` | `Sec-WebSocket-Version` other than 13: a very old client. | `version` |
//! | 429 | `TooManyConnectionsPerKey` | As many connections with this key are open as are allowed. | `too_many_connections_per_key` |
//! | 500 | `NotUpgradable` | The server performs no upgrades. | `not_upgradable` |
//! | 503 | `ShuttingDown` | [`Shutdown::close_all`](crate::Shutdown::close_all) was called. Over HTTP/1.1 with `Connection: close`, so that the client's next attempt can reach another server. | `shutting_down` |
//! | 503 | `TooManyConnections` | As many connections are open as are allowed. | `too_many_connections` |
//!
//! The client sees a refusal as [`ErrorKind::Handshake`](crate::ErrorKind::Handshake);
//! [`Error::response`](crate::Error#method.response) has the status and the start of the body.
//!
//! # Close codes
//!
//! The code in `closed`, in [`Manager::done`](crate::Manager::done) and in the label `websocket.close.code` is that of the
//! close frame that came first, from either side. Where the crate itself ends a connection because of an error (1002, 1007,
//! 1009, most of 1008, and 1001, 1011 and 1013 for a lifetime, a keepalive and a budget), the peer gets the code, and the
//! log, `done` and the metrics have the [error kind](#error-kinds) instead.
//!
//! | code | sent by this crate when | from a peer it usually means |
//! | --- | --- | --- |
//! | 1000 | a handler returns `Ok(())`, or [`close`](crate::Manager::close) is called | The other side is done. A page that calls `close()` without a code sends none: 1005. |
//! | 1001 | a [`Shutdown`](crate::Shutdown) says so, the token of [`Upgrader::context`](crate::Upgrader::context) is cancelled, or the lifetime is reached | The browser leaves the page. |
//! | 1002 | the peer broke the protocol | Your messages broke it, or a proxy changed them. |
//! | 1005 | never | A close frame without a code. |
//! | 1006 | never | No close frame came. Here that is [`ErrorKind::Disconnected`](crate::ErrorKind::Disconnected), not a code. |
//! | 1007 | text is not UTF-8, or compressed data is not valid | The same. |
//! | 1008 | a message stayed unfinished too long, or the rate limit is exceeded with [`Excess::Close`](crate::Excess::Close); handlers use it for expired tokens | The server does not want this client: do not reconnect with the same credentials. |
//! | 1009 | a message is larger than `max_message_size` | The peer's limit is lower than what you send. |
//! | 1011 | a handler returned an error or panicked, or the keepalive timed out | The peer's program failed. |
//! | 1012 | you give it to a `Shutdown` | The server restarts: reconnect after a random delay. |
//! | 1013 | a hub's member is too slow, or the memory budget is used up | The server is overloaded: reconnect later. |
//! | 3000 to 4999 | a handler chooses it | The application's own meaning. |
//!
//! # Error kinds
//!
//! What `recv`, `send`, `done` and `on_end` report. The last column is the label `error.type` of
//! `websocket.closed_connections`; kinds without a label there do not end a connection.
//!
//! | [`ErrorKind`](crate::ErrorKind) | usual cause | what to do | metric |
//! | --- | --- | --- | --- |
//! | `Aborted` | The deadline of `Shutdown::close_all` passed before the connection had ended. | Handlers that return when `recv` does; a longer deadline. | `aborted` |
//! | `BudgetExceeded` | Many large messages at once. | See 1013 above. | `budget_exceeded` |
//! | `Closed` | The connection is closed; [`Error::close_frame`](crate::Error::close_frame) has the frame. Ended connections are counted by their code instead. | Return from the handler. | |
//! | `Connect` | The client found no server: wrong address, TLS, or time. | The source has the cause. | |
//! | `Decode` | The message is not the JSON that was asked for. The connection stays usable. | Answer with an error message: see [`json`](super::json). | |
//! | `Disconnected` | The transport ended without a close frame: a killed process, a lost network, a proxy's timeout, `ws.terminate()` in Node. | Nothing, if it is rare; else look at proxies. | `disconnected` |
//! | `Encode` | A value could not be serialised. | Correct the type, for instance a map whose keys are tuples. | |
//! | `Handshake` | The server refused the client. | [`Error::response`](crate::Error#method.response). | |
//! | `InvalidSetting` | A setting, an origin or a URL is not valid. | The source says which. | |
//! | `KeepaliveTimeout` | Nothing arrived for 5 s, pongs neither: the peer is gone, or its program does not read. | See the symptoms above. | `keepalive_timeout` |
//! | `LifetimeExceeded` | [`Limits::max_lifetime`](crate::Limits::max_lifetime). | Nothing: it is your setting. | `lifetime_exceeded` |
//! | `MessageTooBig` | See 1009 above. | | `message_too_big` |
//! | `Protocol` | The peer's program, or a proxy between, breaks RFC 6455. | The source says which rule. | `protocol` |
//! | `RateLimitExceeded` | [`RateLimit`](crate::RateLimit) with [`Excess::Close`](crate::Excess::Close). | A larger burst, or [`Excess::Pause`](crate::Excess::Pause). | `rate_limit_exceeded` |
//! | `ReadTimeout` | From a method with a timeout: no message in time; the connection stays usable. As the end of a connection: a message stayed unfinished for 30 s. | A larger [`Limits::message_timeout`](crate::Limits::message_timeout) for large messages over slow links. | `read_timeout` |
//! | `Source` | Your `get` function or your source of bytes failed. The connection stays usable. | The source of the error has the cause. | |
//! | `WriteTimeout` | The peer accepted no data for 10 s ([`Limits::write_timeout`](crate::Limits::write_timeout)), or a method with a timeout could not write in time. No close frame can be sent: browsers report 1006. | A client that reads; fewer or smaller messages. | `write_timeout` |
//!
//! # Metrics to watch
//!
//! [`metrics`](crate::metrics) lists all metrics. Set alerts for:
//!
//! | metric | when it is high |
//! | --- | --- |
//! | `websocket.rejected_connections` by `error.type` | `origin`: a wrong policy or a proxy; `too_many_connections`: capacity; `not_upgradable`: a deployment that cannot work |
//! | `websocket.closed_connections` by `error.type` | `keepalive_timeout` and `disconnected` together: the network or a proxy; `write_timeout`: slow clients; `protocol`: a client's defect |
//! | `websocket.closed_connections` by `websocket.close.code` | `1011`: failing handlers; `1013`: slow members of topics |
//! | `websocket.queue.size`, `transmit` | Clients are slower than what is sent to them. |
//! | `websocket.queue.size`, `receive` | Handlers are slower than what arrives. |
//! | `websocket.round_trip.duration` | Slow links, data queued before the pings, or blocked threads. |
//! | `websocket.hub.queue.length`, `websocket.hub.drops` | Members of topics are slower than what is published to them. |
//! | `websocket.hub.gaps` | A broker loses data: see [`brokers`](super::brokers). |
//! | `websocket.budget.usage` | Many large messages. When the budget is used up, connections are closed with 1013. |
