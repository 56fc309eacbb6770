//! The HTTP client of the APIs. It is built on first use.
//!
//! It uses rustls with the machine's certificates and its own DNS resolver, because a static binary
//! cannot load the resolver modules of the C library. It follows no redirects, uses only the
//! configured proxy, and has a timeout for every wait.
//!
//! The modules of the APIs interpret answers; [`AgentError`] classifies error responses.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Proxy, RequestBuilder, Response, redirect};
use serde_json::Value;

use super::error::AgentError;
use super::sse::Decoder;
use crate::config::secrets::Secret;

/// Timeout of a connection attempt.
const CONNECT: Duration = Duration::from_secs(10);

/// Maximum bytes of an answer.
const MAX_ANSWER: usize = 4 << 20;

/// Maximum bytes read of an error response.
const MAX_ERROR: usize = 64 << 10;

/// Maximum delay that a server may ask for.
const MAX_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// An API call.
#[derive(Debug)]
pub struct Call {
    pub url: String,
    pub headers: Vec<(&'static str, &'static str)>,
    pub key: Option<Key>,
    pub body: Value,
}

/// Name of the header, prefix of its value, and key.
pub type Key = (&'static str, &'static str, Secret);

#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

impl Client {
    /// `read_timeout`: the longest time between two reads.
    ///
    /// # Errors
    /// [`AgentError::Setup`] if TLS cannot be set up.
    pub async fn new(proxy: Option<String>, read_timeout: Duration) -> Result<Client, AgentError> {
        // Reading the certificates takes some milliseconds, and hooks wait for the main thread.
        let built = tokio::task::spawn_blocking(move || {
            // Fails if a provider is already installed.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let mut builder = reqwest::Client::builder()
                .connect_timeout(CONNECT)
                .read_timeout(read_timeout)
                .redirect(redirect::Policy::none())
                // Calls are rare, so idle connections are not worth keeping.
                .pool_max_idle_per_host(0)
                .hickory_dns(true)
                .user_agent(concat!("memctl/", env!("CARGO_PKG_VERSION")))
                .no_proxy();
            if let Some(proxy) = proxy {
                builder = builder.proxy(Proxy::all(proxy)?);
            }
            builder.build()
        });
        match built.await {
            Ok(Ok(client)) => Ok(Client(client)),
            Ok(Err(e)) => Err(AgentError::Setup(format!("no HTTP client: {}", cause(&e)))),
            Err(_) => Err(AgentError::Setup("no HTTP client: its setup panicked".into())),
        }
    }

    /// Makes the call and passes each part of the answer to `on_part`: the data of each event of a
    /// stream, or the whole body if the server does not stream.
    pub async fn post(
        &self,
        call: Call,
        mut on_part: impl FnMut(&Value) -> Result<(), AgentError>,
    ) -> Result<(), AgentError> {
        let mut request = self.0.post(&call.url).header("content-type", "application/json");
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let request = with_key(request, call.key)?;
        let response =
            request.body(call.body.to_string()).send().await.map_err(|e| transport_error(&e))?;
        let response = check_status(response).await?;
        let kind = content_type(&response);
        if kind.contains("text/event-stream") {
            return stream(response, on_part).await;
        }
        if kind.contains("html") {
            return Err(AgentError::Unreachable("the URL returned an HTML page".into()));
        }
        let body = read(response, MAX_ANSWER).await?;
        let value = serde_json::from_slice(&body).map_err(|_| invalid_answer())?;
        on_part(&value)
    }

    /// Gets JSON from the server.
    pub async fn get(&self, url: &str, key: Option<Key>) -> Result<Value, AgentError> {
        let request = with_key(self.0.get(url), key)?;
        let response = request.send().await.map_err(|e| transport_error(&e))?;
        let body = read(check_status(response).await?, MAX_ANSWER).await?;
        serde_json::from_slice(&body).map_err(|_| invalid_answer())
    }
}

fn with_key(request: RequestBuilder, key: Option<Key>) -> Result<RequestBuilder, AgentError> {
    let Some((name, scheme, key)) = key else { return Ok(request) };
    let value = HeaderValue::from_str(&format!("{scheme}{}", key.expose()));
    let mut value = value.map_err(|_| {
        AgentError::Setup("the API key has characters that an HTTP header must not contain".into())
    })?;
    value.set_sensitive(true);
    Ok(request.header(name, value))
}

async fn stream(
    mut response: Response,
    mut on_part: impl FnMut(&Value) -> Result<(), AgentError>,
) -> Result<(), AgentError> {
    let mut decoder = Decoder::default();
    let mut bytes = 0;
    let mut event = |data: &str| match data.trim() {
        "[DONE]" => Ok(()),
        data => on_part(&serde_json::from_str(data).map_err(|_| invalid_answer())?),
    };
    while let Some(piece) = response.chunk().await.map_err(|e| transport_error(&e))? {
        bytes += piece.len();
        if bytes > MAX_ANSWER {
            return Err(AgentError::UnusableAnswer("more text than it was asked for"));
        }
        for data in decoder.feed(&piece) {
            event(&data)?;
        }
    }
    decoder.finish().map_or(Ok(()), |data| event(&data))
}

/// Returns a successful response. Any other one becomes an error.
async fn check_status(response: Response) -> Result<Response, AgentError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = retry_after(response.headers());
    // A firewall before the server dislikes the text.
    if status.as_u16() == 403 && content_type(&response).contains("html") {
        return Err(AgentError::Refused("a firewall refused the events (403)".into()));
    }
    let body = read(response, MAX_ERROR).await.unwrap_or_default();
    let body = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    Err(api_error(status.as_u16(), &body, after))
}

/// Classifies an API's error object: `{"error": {"type" | "code" | "status", "message"}}`. It may be
/// the first item of a list, and a string may replace the inner object. `status` is 0 for an error in
/// a stream.
pub fn api_error(status: u16, body: &Value, after: Option<Duration>) -> AgentError {
    let body = body.get(0).unwrap_or(body);
    let error = body.get("error").unwrap_or(body);
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
    let reasons = details.filter_map(|detail| detail.get("reason")?.as_str());
    let reasons = reasons.collect::<Vec<_>>().join(" ");
    let kind = format!("{} {} {} {reasons}", text("type"), text("code"), text("status"));
    // vLLM has the message beside the type; some servers have `detail`.
    let message = error.as_str().unwrap_or_else(|| match text("message") {
        "" => text("detail"),
        message => message,
    });
    let code = error.get("code").and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
    let status = if status == 0 { code.unwrap_or(0) } else { status };
    AgentError::from_response(status, &kind, message, after.or_else(|| retry_delay(error)))
}

/// Google's delay: `{"details": [{"retryDelay": "34s"}]}`.
fn retry_delay(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    seconds(delay.strip_suffix('s')?)
}

/// The header `retry-after`, in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    seconds(text).or_else(|| {
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        SystemTime::from(at).duration_since(SystemTime::from(jiff::Timestamp::now())).ok()
    })
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    Some(wait.min(MAX_WAIT))
}

fn content_type(response: &Response) -> String {
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
}

/// Reads the chunks of the body that fit into `max` bytes.
async fn read(mut response: Response, max: usize) -> Result<Vec<u8>, AgentError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|e| transport_error(&e))? {
        if body.len() + piece.len() > max {
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn invalid_answer() -> AgentError {
    AgentError::Lost("the server's answer cannot be read".into())
}

fn transport_error(e: &reqwest::Error) -> AgentError {
    if e.is_timeout() && !e.is_connect() {
        return AgentError::Lost("the server stopped responding".into());
    }
    if e.is_builder() {
        return AgentError::Setup(format!("invalid URL: {}", cause(e)));
    }
    if e.is_connect() {
        return AgentError::Unreachable(format!("no connection: {}", cause(e)));
    }
    AgentError::Lost(format!("the connection broke: {}", cause(e)))
}

/// The innermost error. The outer ones contain the URL.
fn cause(e: &reqwest::Error) -> String {
    let mut source = e.source();
    let mut text = e.to_string();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    // The resolver's error prints the whole query.
    if text.contains("Query {") { "the host name cannot be resolved".into() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::error::Reaction;
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let check = |text: &str, want: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers).map(|d| d.as_secs()), want, "{text}");
        };
        check("30", Some(30));
        check("1.5", Some(1));
        check("-3", None);
        check("soon", None);
        check("99999999999", Some(MAX_WAIT.as_secs()));
        check("Wed, 21 Oct 2015 07:28:00 GMT", None);
        let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(100);
        let mut headers = HeaderMap::new();
        let text = later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        let wait = retry_after(&headers).unwrap().as_secs();
        assert!((95..=100).contains(&wait), "{wait}");
    }

    #[test]
    fn error_objects_of_all_apis_are_classified() {
        let check = |status, body: Value, want| {
            assert_eq!(api_error(status, &body, None).reaction(), want, "{body}");
        };
        let wait = |s| Reaction::Defer(Some(Duration::from_secs(s)));
        check(
            529,
            json!({"type": "error", "error": {"type": "overloaded_error"}}),
            Reaction::Defer(None),
        );
        check(
            429,
            json!({"error": {"code": "insufficient_quota", "message": "x"}}),
            Reaction::Defer(None),
        );
        check(
            429,
            json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"x": 1}, {"retryDelay": "34s"}]}}]),
            wait(34),
        );
        check(0, json!({"error": {"message": "x", "code": 429}}), Reaction::Defer(None));
        check(
            0,
            json!({"type": "error", "error": {"type": "overloaded_error"}}),
            Reaction::Defer(None),
        );
        check(404, json!({"error": "model 'x' not found"}), Reaction::DeferUntilSettingsChange);
        check(500, Value::Null, Reaction::RetryThenDefer);
    }
}
