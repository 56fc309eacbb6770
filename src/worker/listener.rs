//! Serves the worker's socket: reads requests and writes replies, as frames or as lines.
//!
//! `ping`, `wake` and `status` are answered without the store, so that a worker that waits for the
//! store does not look hung. Slow, silent, malformed and oversized peers are dropped after
//! `worker.peer_timeout`.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::traits::tokio::Listener as _;
use memctl_proto::frame::{self, FrameError, HEADER};
use memctl_proto::line;
use memctl_proto::{Code, Event, Kind, MAX_BODY, Reply, Request};
use nix::sys::socket::{self, MsgFlags};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::owner::Session;
use super::status::StatusSnapshot;
use super::store_actor::{AcceptResult, Rejection, StoreHandle};
use crate::capture::{self, CaptureContext, Captured, PrivateTurns};
use crate::clock;
use crate::config::Settings;
use crate::injection::Asked;
use crate::paths::session_key;
use crate::process;
use crate::project::recording;
use crate::store::{Reader, projects, sessions};

/// How long a line waits for the store to name the session's project.
const READ_TIMEOUT: Duration = Duration::from_millis(200);

/// The worker closes a connection of the line dialect this long after its last reply, because an
/// `nc` that does not forward the end of its input would wait forever.
const LINE_LINGER: Duration = Duration::from_millis(300);

/// The time between two attempts to accept a connection, if the first one failed, for example because
/// the process has no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A request to the worker's event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Wake,
    Shutdown { graceful: bool },
}

/// Shared by all connections.
#[derive(Clone)]
pub struct ConnContext {
    pub settings: Arc<Settings>,
    pub session: Arc<Session>,
    pub store: StoreHandle,
    pub control: mpsc::UnboundedSender<Control>,
    pub snapshot: Arc<Mutex<StatusSnapshot>>,
}

impl ConnContext {
    fn status(&self) -> line::Status {
        self.snapshot.lock().expect("never poisoned").status()
    }
}

/// Serves peers until `stopping` is true. Then waits up to `worker.peer_timeout` for the replies to
/// requests that were already read.
pub async fn serve(listener: Listener, context: ConnContext, mut stopping: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(context.settings.config.worker.connections));
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            let permit = permits.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept => accepted,
        };
        let (stream, permit) = match accepted {
            (Ok(stream), Ok(permit)) => (stream, permit),
            (Err(e), _) => {
                // The peer stays in the backlog, so without a pause the next attempt fails at once.
                tracing::warn!("cannot accept a connection: {e}");
                let retry_at = Instant::now() + ACCEPT_PAUSE;
                tokio::select! {
                    _ = stopping.wait_for(|stopping| *stopping) => break,
                    () = tokio::time::sleep_until(retry_at.into()) => continue,
                }
            }
            (Ok(_), Err(_)) => unreachable!("the semaphore is never closed"),
        };
        let connection = serve_connection(stream, context.clone(), stopping.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let limit = context.settings.config.worker.peer_timeout;
    let _ = timeout(limit, async { while connections.join_next().await.is_some() {} }).await;
}

async fn serve_connection(stream: Stream, context: ConnContext, stopping: watch::Receiver<bool>) {
    let Stream::UdSocket(socket) = &stream;
    if process::peer_uid(socket.as_fd()).ok() != Some(process::own_uid()) {
        return;
    }
    let limit = context.settings.config.worker.peer_timeout;
    let mut peer = Peer { stream: BufReader::new(stream), limit, stopping };
    match peer.peek().await {
        Some(byte) if byte == frame::MAGIC[0] => serve_frames(&mut peer, &context).await,
        Some(_) => serve_lines(&mut peer, &context).await,
        None => {}
    }
}

struct Peer {
    stream: BufReader<Stream>,
    /// The time limit for each read and each write.
    limit: Duration,
    stopping: watch::Receiver<bool>,
}

impl Peer {
    /// The next byte, without consuming it. `None` at the end of the input, after the time limit,
    /// or when the worker stops serving.
    async fn peek(&mut self) -> Option<u8> {
        self.peek_within(self.limit).await
    }

    async fn peek_within(&mut self, limit: Duration) -> Option<u8> {
        let Peer { stream, stopping, .. } = self;
        let next = async { stream.fill_buf().await.ok()?.first().copied() };
        tokio::select! {
            biased;
            byte = timeout(limit, next) => byte.ok().flatten(),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        }
    }

    async fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        timeout(self.limit, self.stream.read_exact(bytes)).await.ok()?.ok()?;
        Some(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        let stream = self.stream.get_mut();
        timeout(self.limit, stream.write_all(bytes)).await.ok()?.ok()
    }
}

async fn serve_frames(peer: &mut Peer, context: &ConnContext) {
    while peer.peek().await.is_some() {
        if serve_frame(peer, context).await.is_none() {
            return;
        }
    }
}

/// Reads one request and replies. `None` closes the connection.
async fn serve_frame(peer: &mut Peer, context: &ConnContext) -> Option<()> {
    let mut header = [0; HEADER];
    peer.read(&mut header).await?;
    let len = match frame::body_len(&header) {
        Ok(len) => len,
        Err(FrameError::Version(_)) => {
            peer.write(&frame::unsupported()).await;
            return None;
        }
        Err(e) => {
            tracing::warn!("dropped a connection: {e}");
            return None;
        }
    };
    let version = header[4];
    let mut body = vec![0; len];
    peer.read(&mut body).await?;
    let reply = match frame::decode::<Request>(&body) {
        Ok(Request::Event { session_key, json }) => {
            match parse_event(&session_key, &json, &context.session) {
                Ok(event) => return accept_and_reply(peer, event, version, context).await,
                Err(rejection) => rejected(rejection),
            }
        }
        Ok(Request::Recall { session_key, json }) => {
            match parse_question(&session_key, &json, &context.session) {
                Ok(asked) => return recall_and_reply(peer, asked, version, context).await,
                Err(rejection) => rejected(rejection),
            }
        }
        Ok(request) => answer(request, context),
        Err(e) => rejected(Rejection { code: Code::Malformed, message: e.to_string() }),
    };
    peer.write(&frame::encode_as(version, &reply).ok()?).await
}

/// Answers a request that does not need the store.
fn answer(request: Request, context: &ConnContext) -> Reply {
    match request {
        Request::Ping => pong(),
        Request::Wake => {
            let _ = context.control.send(Control::Wake);
            pong()
        }
        Request::Status => {
            Reply::Status { json: serde_json::to_string(&context.status()).expect("plain values") }
        }
        Request::Shutdown { graceful } => {
            let _ = context.control.send(Control::Shutdown { graceful });
            Reply::Bye
        }
        Request::Event { .. } | Request::Recall { .. } => {
            unreachable!("handled by serve_frame")
        }
    }
}

fn pong() -> Reply {
    Reply::Pong { version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id() }
}

fn rejected(Rejection { code, message }: Rejection) -> Reply {
    Reply::Rejected { code, message }
}

fn parse_event(key: &str, json: &str, session: &Session) -> Result<Event, Rejection> {
    let reject = |code, message: &str| Err(Rejection { code, message: message.to_owned() });
    if key != session.key {
        return reject(Code::WrongSession, "this worker serves another session");
    }
    let event = match Event::from_json(json) {
        Ok(event) => event,
        Err(e) => return reject(Code::Malformed, &e.to_string()),
    };
    if event.kind == Kind::Unknown {
        return reject(Code::Malformed, "this version does not support the event's kind");
    }
    if session_key(&event.client, &event.session) != session.key {
        return reject(Code::WrongSession, "the event names another session");
    }
    Ok(event)
}

fn parse_question(key: &str, json: &str, session: &Session) -> Result<Asked, Rejection> {
    let malformed =
        |e: serde_json::Error| Rejection { code: Code::Malformed, message: e.to_string() };
    let asked: Asked = serde_json::from_str(json).map_err(malformed)?;
    if key != session.key || asked.key() != session.key {
        let message = "this worker serves another session".to_owned();
        return Err(Rejection { code: Code::WrongSession, message });
    }
    Ok(asked)
}

/// Has the store thread commit an event and reply.
async fn accept_and_reply(
    peer: &mut Peer,
    event: Event,
    version: u8,
    context: &ConnContext,
) -> Option<()> {
    let (direct, unsent) = DirectReply::to(peer, version)?;
    let id = event.id.to_string();
    let reply = move |result: AcceptResult| {
        direct.send(&match result {
            Ok(accepted) => Reply::Accepted { id, duplicate: accepted.duplicate },
            Err(rejection) => rejected(rejection),
        });
    };
    context.store.accept(event, Box::new(reply));
    finish_reply(peer, version, unsent).await
}

/// Has the store thread find memories and reply.
async fn recall_and_reply(
    peer: &mut Peer,
    asked: Asked,
    version: u8,
    context: &ConnContext,
) -> Option<()> {
    let (direct, unsent) = DirectReply::to(peer, version)?;
    context.store.inject(asked, Box::new(move |block| direct.send(&Reply::Recalled { block })));
    finish_reply(peer, version, unsent).await
}

/// A reply that the store thread writes to the socket itself, which saves the waiting hook a thread
/// switch.
struct DirectReply {
    socket: OwnedFd,
    version: u8,
    unsent: oneshot::Sender<Vec<u8>>,
}

impl DirectReply {
    /// The reply, and the bytes that the socket did not take at once.
    fn to(peer: &Peer, version: u8) -> Option<(DirectReply, oneshot::Receiver<Vec<u8>>)> {
        let Stream::UdSocket(stream) = peer.stream.get_ref();
        let socket = stream.as_fd().try_clone_to_owned().ok()?;
        let (sender, unsent) = oneshot::channel();
        Some((DirectReply { socket, version, unsent: sender }, unsent))
    }

    fn send(self, reply: &Reply) {
        let bytes = frame::encode_as(self.version, reply).unwrap_or_default();
        crate::testpoint::at("worker.replying");
        let sent = socket::send(self.socket.as_raw_fd(), &bytes, MsgFlags::MSG_DONTWAIT);
        let _ = self.unsent.send(bytes[sent.unwrap_or(0)..].to_vec());
    }
}

async fn finish_reply(
    peer: &mut Peer,
    version: u8,
    unsent: oneshot::Receiver<Vec<u8>>,
) -> Option<()> {
    match unsent.await {
        Ok(unsent) if unsent.is_empty() => Some(()),
        Ok(unsent) => peer.write(&unsent).await,
        Err(_) => peer.write(&frame::encode_as(version, &rejected(shutting_down())).ok()?).await,
    }
}

fn shutting_down() -> Rejection {
    Rejection { code: Code::Leaving, message: "the worker is shutting down".into() }
}

/// Has the store thread commit an event.
async fn accept(event: Event, context: &ConnContext) -> AcceptResult {
    let (reply, result) = oneshot::channel();
    context.store.accept(event, Box::new(move |result| drop(reply.send(result))));
    result.await.unwrap_or_else(|_| Err(shutting_down()))
}

async fn serve_lines(peer: &mut Peer, context: &ConnContext) {
    let mut limit = peer.limit;
    while peer.peek_within(limit).await.is_some() {
        let mut line = Vec::new();
        let mut limited = (&mut peer.stream).take(MAX_BODY as u64 + 1);
        match timeout(peer.limit, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return,
        }
        if line.len() > MAX_BODY {
            let text = line::rejected(Code::Malformed, "the line is longer than 1 MiB");
            peer.write(format!("{text}\n").as_bytes()).await;
            return;
        }
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            let reply = answer_line(text.trim(), context).await;
            if peer.write(format!("{reply}\n").as_bytes()).await.is_none() {
                return;
            }
        }
        limit = LINE_LINGER;
    }
}

async fn answer_line(text: &str, context: &ConnContext) -> String {
    match line::parse(text) {
        Ok(line::Request::Ping) => line::pong(env!("CARGO_PKG_VERSION"), std::process::id()),
        Ok(line::Request::Status) => line::status(&context.status()),
        Ok(line::Request::Finalize) => {
            let session = &context.session;
            let event = Event::new(Kind::Finalize, &session.client, &session.id, clock::now_ms());
            match accept(event, context).await {
                Ok(accepted) => line::finalized(accepted.closed),
                Err(rejection) => line::rejected(rejection.code, &rejection.message),
            }
        }
        Ok(line::Request::Observation(text)) => match capture_line(&text, context) {
            Ok(event) => {
                let id = event.id.to_string();
                match accept(event, context).await {
                    Ok(accepted) => line::accepted(&id, accepted.duplicate),
                    Err(rejection) => line::rejected(rejection.code, &rejection.message),
                }
            }
            Err(rejection) => line::rejected(rejection.code, &rejection.message),
        },
        Err(why) => line::rejected(Code::Malformed, &why),
    }
}

/// The root of the session's project, for lines without a directory.
fn session_root(context: &ConnContext) -> Option<PathBuf> {
    if !recording::depends_on_project(&context.settings.config.recording) {
        return None;
    }
    let session = &context.session;
    let reader = Reader::open(&context.settings.paths, READ_TIMEOUT).ok()??;
    let id = sessions::id_of(reader.connection(), &session.client, &session.id).ok()??;
    projects::root_of(reader.connection(), id).ok()?.map(PathBuf::from)
}

fn capture_line(text: &str, context: &ConnContext) -> Result<Event, Rejection> {
    let session = &context.session;
    let config = &context.settings.config;
    let root = session_root(context);
    let turns = PrivateTurns::read(&context.settings.paths, &session.key);
    // A line may have no turn id, or another one than hooks.
    let words = turns.words(None);
    let capture_context = CaptureContext {
        event: None,
        client: &session.client,
        project_dir: None,
        fallback_dir: root.as_deref(),
        recording: &config.recording,
        limits: config.capture,
        private: &words,
        redact: &config.redact,
        now: clock::now_ms(),
        process: None,
    };
    let malformed = |message| Rejection { code: Code::Malformed, message };
    let captured = capture::capture_line(text, &session.id, &session.client, &capture_context);
    match captured.map_err(|e| malformed(e.to_string()))? {
        Captured::BeforeTool(_) => Err(malformed("not recorded: the tool has not run".into())),
        Captured::Ignored(why) => Err(malformed(format!("not recorded: {why}"))),
        Captured::NotRecorded(why, _) => Err(malformed(format!("not recorded: {why}"))),
        Captured::Event(event) if event.session != session.id => Err(Rejection {
            code: Code::WrongSession,
            message: "the line names another session".into(),
        }),
        Captured::Event(event) => Ok(turns.redact(*event, &words)),
    }
}
