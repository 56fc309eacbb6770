//! The one HTTP client: TLS by rustls against the machine's own certificates, names resolved
//! without the C library (a static binary has none to rely on), no redirects, no proxy but the
//! configured one, and a bound on every wait. Built on first use.
//!
//! What an answer means is the business of whoever speaks the API; what a refusal means stands in
//! [`AgentError`].

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Proxy, Response, redirect};
use serde_json::Value;

use super::error::AgentError;
use super::sse::Decoder;
use crate::config::secrets::Secret;

/// A server that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(10);

/// More bytes than this no answer has.
const MOST: usize = 4 << 20;

/// Of a refusal, so many are read.
const MOST_OF_REFUSAL: usize = 64 << 10;

/// A longer wait is not believed of a server.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A call of an API.
#[derive(Debug)]
pub struct Call {
    pub url: String,
    pub headers: Vec<(&'static str, &'static str)>,
    /// Goes into this header, behind these words, and nowhere else.
    pub key: Option<(&'static str, &'static str, Secret)>,
    pub body: Value,
}

#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

impl Client {
    /// `silence`: how long a server may say nothing at all.
    ///
    /// # Errors
    /// [`AgentError::Setup`] where TLS cannot be had.
    pub async fn new(proxy: Option<String>, silence: Duration) -> Result<Client, AgentError> {
        // Reading the certificates takes some milliseconds, which a hook may be waiting for.
        let built = tokio::task::spawn_blocking(move || {
            // There already is fine.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let mut builder = reqwest::Client::builder()
                .connect_timeout(CONNECT)
                .read_timeout(silence)
                .redirect(redirect::Policy::none())
                // A connection between two calls would only be kept for nothing.
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
            Err(_) => Err(AgentError::Setup("no HTTP client: it panicked".into())),
        }
    }

    /// Makes the call and gives each piece of the answer to `each`: the data of a stream's events
    /// as they come, or the one JSON of a server that does not stream.
    pub async fn post(
        &self,
        call: Call,
        mut each: impl FnMut(&Value) -> Result<(), AgentError>,
    ) -> Result<(), AgentError> {
        let mut request = self.0.post(&call.url).header("content-type", "application/json");
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if let Some((name, scheme, key)) = call.key {
            let value = HeaderValue::from_str(&format!("{scheme}{}", key.expose()));
            let mut value =
                value.map_err(|_| AgentError::Setup("the API key holds odd characters".into()))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let response = request.body(call.body.to_string()).send().await.map_err(|e| lost(&e))?;
        let response = accepted(response).await?;
        let kind = content_type(&response);
        if kind.contains("text/event-stream") {
            return stream(response, each).await;
        }
        if kind.contains("html") {
            return Err(AgentError::Unreachable("the address answers with a page".into()));
        }
        let body = read(response, MOST).await?;
        let value = serde_json::from_slice(&body).map_err(|_| garbage())?;
        each(&value)
    }

    /// The JSON at an address of the server's.
    pub async fn get(&self, url: &str) -> Result<Value, AgentError> {
        let response = self.0.get(url).send().await.map_err(|e| lost(&e))?;
        let body = read(accepted(response).await?, MOST).await?;
        serde_json::from_slice(&body).map_err(|_| garbage())
    }
}

async fn stream(
    mut response: Response,
    mut each: impl FnMut(&Value) -> Result<(), AgentError>,
) -> Result<(), AgentError> {
    let mut decoder = Decoder::default();
    let mut bytes = 0;
    let mut event = |data: &str| match data.trim() {
        "[DONE]" => Ok(()),
        data => each(&serde_json::from_str(data).map_err(|_| garbage())?),
    };
    while let Some(piece) = response.chunk().await.map_err(|e| lost(&e))? {
        bytes += piece.len();
        if bytes > MOST {
            return Err(AgentError::Died("its answer has no end".into()));
        }
        for data in decoder.feed(&piece) {
            event(&data)?;
        }
    }
    decoder.finish().map_or(Ok(()), |data| event(&data))
}

/// The response, unless it is a refusal.
async fn accepted(response: Response) -> Result<Response, AgentError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = retry_after(response.headers());
    let body = read(response, MOST_OF_REFUSAL).await.unwrap_or_default();
    let said = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    Err(refusal(status.as_u16(), &said, after))
}

/// What an API's error object means: `{"error": {"type" | "code" | "status", "message"}}`, alone
/// or in a list, or with a plain text in place of the object. `status` 0: it came in a stream.
pub fn refusal(status: u16, said: &Value, after: Option<Duration>) -> AgentError {
    let said = said.get(0).unwrap_or(said);
    let error = said.get("error").unwrap_or(said);
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = format!("{} {} {}", text("type"), text("code"), text("status"));
    let message = error.as_str().unwrap_or_else(|| text("message"));
    let code = error.get("code").and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
    let status = if status == 0 { code.unwrap_or(0) } else { status };
    AgentError::of_refusal(status, &kind, message, after.or_else(|| retry_delay(error)))
}

/// Google says it inside: `{"details": [{"retryDelay": "34s"}]}`.
fn retry_delay(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    seconds(delay.strip_suffix('s')?)
}

/// `retry-after`, in seconds or as a date.
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
    Some(wait.min(LONGEST_WAIT))
}

fn content_type(response: &Response) -> String {
    let kind = response.headers().get(reqwest::header::CONTENT_TYPE);
    kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
}

/// At most `most` bytes of what comes.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, AgentError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|e| lost(&e))? {
        if body.len() + piece.len() > most {
            break;
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn garbage() -> AgentError {
    AgentError::Unreachable("the server's answer cannot be read".into())
}

fn lost(e: &reqwest::Error) -> AgentError {
    if e.is_timeout() && !e.is_connect() {
        return AgentError::Lost("the server fell silent".into());
    }
    if e.is_builder() {
        return AgentError::Setup(format!("the address is none: {}", cause(e)));
    }
    if e.is_connect() {
        return AgentError::Unreachable(format!("no connection: {}", cause(e)));
    }
    AgentError::Lost(format!("the connection broke: {}", cause(e)))
}

/// The innermost reason, which names no address.
fn cause(e: &reqwest::Error) -> String {
    let mut source = e.source();
    let mut text = e.to_string();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    // The resolver shows its whole question.
    if text.contains("Query {") { "its name is not known".into() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::error::Effect;
    use super::*;

    #[test]
    fn how_long_to_wait() {
        let check = |text: &str, want: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers).map(|d| d.as_secs()), want, "{text}");
        };
        check("30", Some(30));
        check("1.5", Some(1));
        check("-3", None);
        check("soon", None);
        check("99999999999", Some(LONGEST_WAIT.as_secs()));
        check("Wed, 21 Oct 2015 07:28:00 GMT", None);
        let later = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(100);
        let mut headers = HeaderMap::new();
        let text = later.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        headers.insert(RETRY_AFTER, text.parse().unwrap());
        let wait = retry_after(&headers).unwrap().as_secs();
        assert!((95..=100).contains(&wait), "{wait}");
    }

    #[test]
    fn every_api_has_its_own_words_for_an_error() {
        let check = |status, said: Value, want| {
            assert_eq!(refusal(status, &said, None).effect(), want, "{said}");
        };
        let wait = |s| Effect::Wait(Some(Duration::from_secs(s)));
        check(
            529,
            json!({"type": "error", "error": {"type": "overloaded_error"}}),
            Effect::Wait(None),
        );
        check(
            429,
            json!({"error": {"code": "insufficient_quota", "message": "x"}}),
            Effect::Wait(None),
        );
        check(
            429,
            json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"x": 1}, {"retryDelay": "34s"}]}}]),
            wait(34),
        );
        check(0, json!({"error": {"message": "x", "code": 429}}), Effect::Wait(None));
        check(
            0,
            json!({"type": "error", "error": {"type": "overloaded_error"}}),
            Effect::Wait(None),
        );
        check(404, json!({"error": "model 'x' not found"}), Effect::WaitForSettings);
        check(500, Value::Null, Effect::AgainThenWait);
    }
}
