//! The worker's end of its socket: bytes in, bytes out, in both dialects.
//!
//! `ping`, `wake` and `status` are answered without the store, so that a worker that waits for
//! the store does not look hung. Slow, silent, garbage and oversized peers are dropped after a
//! deadline and disturb nobody.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

use super::intake::{Intake, Refusal, Verdict};
use super::owner::Session;
use super::shown::Shown;
use crate::capture::{self, CaptureContext, Captured};
use crate::clock;
use crate::config::Settings;
use crate::paths::session_key;
use crate::process;

/// How long a line's answer is followed by silence before the worker closes: an `nc` that does
/// not pass on the end of its input would wait for ever.
const AFTER_ANSWER: Duration = Duration::from_millis(300);

/// What a peer asks of the worker's loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Wake,
    Shutdown { graceful: bool },
}

/// What every connection needs.
#[derive(Clone)]
pub struct Desk {
    pub settings: Arc<Settings>,
    pub session: Arc<Session>,
    pub intake: Intake,
    pub asks: mpsc::UnboundedSender<Ask>,
    pub shown: Arc<Mutex<Shown>>,
}

impl Desk {
    fn status(&self) -> line::Status {
        self.shown.lock().expect("never poisoned").status()
    }
}

/// Serves peers until `leaving` says so; returns when every request that was read is answered.
pub async fn serve(listener: Listener, desk: Desk, mut leaving: watch::Receiver<bool>) {
    let seats = Arc::new(Semaphore::new(desk.settings.config.worker.connections));
    let mut peers = JoinSet::new();
    loop {
        let accepted = async {
            let seat = seats.clone().acquire_owned().await;
            (listener.accept().await, seat)
        };
        let accepted = tokio::select! {
            _ = leaving.wait_for(|leaving| *leaving) => break,
            Some(_) = peers.join_next(), if !peers.is_empty() => continue,
            accepted = accepted => accepted,
        };
        let (Ok(stream), Ok(seat)) = accepted else { continue };
        let talk = talk(stream, desk.clone(), leaving.clone());
        peers.spawn(async move {
            talk.await;
            drop(seat);
        });
    }
    drop(listener);
    let patience = desk.settings.config.worker.peer_timeout;
    let _ = timeout(patience, async { while peers.join_next().await.is_some() {} }).await;
}

async fn talk(stream: Stream, desk: Desk, leaving: watch::Receiver<bool>) {
    let Stream::UdSocket(socket) = &stream;
    if process::peer_uid(socket.as_fd()).ok() != Some(process::own_uid()) {
        return;
    }
    let patience = desk.settings.config.worker.peer_timeout;
    let mut peer = Peer { stream: BufReader::new(stream), patience, leaving };
    match peer.first().await {
        Some(byte) if byte == frame::MAGIC[0] => frames(&mut peer, &desk).await,
        Some(_) => lines(&mut peer, &desk).await,
        None => {}
    }
}

/// A connection and how long it is waited for.
struct Peer {
    stream: BufReader<Stream>,
    patience: Duration,
    leaving: watch::Receiver<bool>,
}

impl Peer {
    /// The next byte without taking it; none when the peer is done, silent, or we are leaving.
    async fn first(&mut self) -> Option<u8> {
        self.within(self.patience).await
    }

    async fn within(&mut self, patience: Duration) -> Option<u8> {
        let Peer { stream, leaving, .. } = self;
        let next = async { stream.fill_buf().await.ok()?.first().copied() };
        tokio::select! {
            biased;
            byte = timeout(patience, next) => byte.ok().flatten(),
            _ = leaving.wait_for(|leaving| *leaving) => None,
        }
    }

    async fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        timeout(self.patience, self.stream.read_exact(bytes)).await.ok()?.ok()?;
        Some(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        let stream = self.stream.get_mut();
        timeout(self.patience, stream.write_all(bytes)).await.ok()?.ok()
    }
}

async fn frames(peer: &mut Peer, desk: &Desk) {
    while peer.first().await.is_some() {
        if frame(peer, desk).await.is_none() {
            return;
        }
    }
}

/// One request and its reply; none ends the conversation.
async fn frame(peer: &mut Peer, desk: &Desk) -> Option<()> {
    let mut header = [0; HEADER];
    peer.read(&mut header).await?;
    let len = match frame::body_len(&header) {
        Ok(len) => len,
        Err(FrameError::Version(_)) => {
            peer.write(&frame::unsupported()).await;
            return None;
        }
        Err(e) => {
            tracing::warn!("dropped a peer: {e}");
            return None;
        }
    };
    let version = header[4];
    let mut body = vec![0; len];
    peer.read(&mut body).await?;
    let reply = match frame::decode::<Request>(&body) {
        Ok(Request::Event { session_key, json }) => {
            match event(&session_key, &json, &desk.session) {
                Ok(event) => return take_and_reply(peer, event, version, desk).await,
                Err(refusal) => rejected(refusal),
            }
        }
        Ok(request) => answer(request, desk),
        Err(e) => rejected(Refusal { code: Code::Malformed, message: e.to_string() }),
    };
    peer.write(&frame::encode_as(version, &reply).ok()?).await
}

/// What is answered without the store.
fn answer(request: Request, desk: &Desk) -> Reply {
    match request {
        Request::Ping => pong(),
        Request::Wake => {
            let _ = desk.asks.send(Ask::Wake);
            pong()
        }
        Request::Status => {
            Reply::Status { json: serde_json::to_string(&desk.status()).expect("plain values") }
        }
        Request::Shutdown { graceful } => {
            let _ = desk.asks.send(Ask::Shutdown { graceful });
            Reply::Bye
        }
        Request::Event { .. } => unreachable!("goes to the store"),
    }
}

fn pong() -> Reply {
    Reply::Pong { version: env!("CARGO_PKG_VERSION").into(), pid: std::process::id() }
}

fn rejected(Refusal { code, message }: Refusal) -> Reply {
    Reply::Rejected { code, message }
}

/// The event of a frame, when it is one for this session.
fn event(key: &str, json: &str, session: &Session) -> Result<Event, Refusal> {
    let refuse = |code, message: &str| Err(Refusal { code, message: message.to_owned() });
    let event = match Event::from_json(json) {
        _ if key != session.key => {
            return refuse(Code::WrongSession, "another worker's session");
        }
        Ok(event) => event,
        Err(e) => return refuse(Code::Malformed, &e.to_string()),
    };
    if event.kind == Kind::Unknown {
        return refuse(Code::Malformed, "an event of a kind this version does not know");
    }
    if session_key(&event.client, &event.session) != session.key {
        return refuse(Code::WrongSession, "the event names another session");
    }
    Ok(event)
}

/// Has an event committed. The store thread writes the reply itself, because a hook waits for it
/// and another thread switch would delay it.
async fn take_and_reply(peer: &mut Peer, event: Event, version: u8, desk: &Desk) -> Option<()> {
    let Stream::UdSocket(stream) = peer.stream.get_ref();
    let socket = stream.as_fd().try_clone_to_owned().ok()?;
    let id = event.id.to_string();
    let (done, left) = oneshot::channel();
    let answer = Box::new(move |verdict: Verdict| {
        let reply = match verdict {
            Ok(accepted) => Reply::Accepted { id, duplicate: accepted.duplicate },
            Err(refusal) => rejected(refusal),
        };
        let bytes = frame::encode_as(version, &reply).unwrap_or_default();
        crate::testpoint::at("worker.replying");
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = socket::send(socket.as_raw_fd(), &bytes, flags).unwrap_or(0);
        let _ = done.send(bytes[sent..].to_vec());
    });
    desk.intake.accept(event, answer);
    match left.await {
        Ok(left) if left.is_empty() => Some(()),
        Ok(left) => peer.write(&left).await,
        Err(_) => peer.write(&frame::encode_as(version, &rejected(leaving())).ok()?).await,
    }
}

fn leaving() -> Refusal {
    Refusal { code: Code::Leaving, message: "the worker is leaving".into() }
}

/// Has an event committed.
async fn take(event: Event, desk: &Desk) -> Verdict {
    let (reply, verdict) = oneshot::channel();
    desk.intake.accept(event, Box::new(move |verdict| drop(reply.send(verdict))));
    verdict.await.unwrap_or_else(|_| Err(leaving()))
}

async fn lines(peer: &mut Peer, desk: &Desk) {
    let mut patience = peer.patience;
    while peer.within(patience).await.is_some() {
        let mut line = Vec::new();
        let mut limited = (&mut peer.stream).take(MAX_BODY as u64 + 1);
        match timeout(peer.patience, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => return,
        }
        if line.len() > MAX_BODY {
            let text = line::rejected(Code::Malformed, "a line may have 1 MiB at most");
            peer.write(format!("{text}\n").as_bytes()).await;
            return;
        }
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            let answer = answer_line(text.trim(), desk).await;
            if peer.write(format!("{answer}\n").as_bytes()).await.is_none() {
                return;
            }
        }
        patience = AFTER_ANSWER;
    }
}

async fn answer_line(text: &str, desk: &Desk) -> String {
    match line::parse(text) {
        Ok(line::Request::Ping) => line::pong(env!("CARGO_PKG_VERSION"), std::process::id()),
        Ok(line::Request::Status) => line::status(&desk.status()),
        Ok(line::Request::Finalize) => {
            let session = &desk.session;
            let event = Event::new(Kind::Finalize, &session.client, &session.id, clock::now_ms());
            match take(event, desk).await {
                Ok(accepted) => line::finalized(accepted.closed),
                Err(refusal) => line::rejected(refusal.code, &refusal.message),
            }
        }
        Ok(line::Request::Observation(text)) => match capture_line(&text, desk) {
            Ok(event) => {
                let id = event.id.to_string();
                match take(event, desk).await {
                    Ok(accepted) => line::accepted(&id, accepted.duplicate),
                    Err(refusal) => line::rejected(refusal.code, &refusal.message),
                }
            }
            Err(refusal) => line::rejected(refusal.code, &refusal.message),
        },
        Err(why) => line::rejected(Code::Malformed, &why),
    }
}

fn capture_line(text: &str, desk: &Desk) -> Result<Event, Refusal> {
    let config = &desk.settings.config;
    let around = CaptureContext {
        event: None,
        client: &desk.session.client,
        project_dir: None,
        home: desk.settings.home.as_deref(),
        exclude: &config.exclude,
        limits: config.capture,
        now: clock::now_ms(),
        process: None,
    };
    let malformed = |message| Refusal { code: Code::Malformed, message };
    let session = &desk.session;
    let captured = capture::capture_line(text, &session.id, &session.client, &around);
    match captured.map_err(|e| malformed(e.to_string()))? {
        Captured::Ignored(why) => Err(malformed(format!("not recorded: {why}"))),
        Captured::Event(event) if event.session != session.id => Err(Refusal {
            code: Code::WrongSession,
            message: "the line names another session".into(),
        }),
        Captured::Event(event) => Ok(*event),
    }
}
