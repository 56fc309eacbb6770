//! Decoding untrusted bytes returns a value or an error and never panics. Every length is compared
//! with the limit before it is used.

use memctl_proto::event::{Agent, Event, Kind, Process, Project, SeenFile, Tool, Use};
use memctl_proto::frame::{self, FrameError, HEADER};
use memctl_proto::line::{self, Status};
use memctl_proto::{Code, MAX_BODY, Reply, Request, VERSION};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::Ping),
        Just(Request::Status),
        (any::<String>(), any::<String>())
            .prop_map(|(session_key, json)| Request::Event { session_key, json }),
        Just(Request::Wake),
        any::<bool>().prop_map(|graceful| Request::Shutdown { graceful }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let code = prop_oneof![
        Just(Code::Malformed),
        Just(Code::WrongSession),
        Just(Code::Store),
        Just(Code::Leaving)
    ];
    prop_oneof![
        (any::<String>(), any::<u32>()).prop_map(|(version, pid)| Reply::Pong { version, pid }),
        any::<String>().prop_map(|json| Reply::Status { json }),
        (any::<String>(), any::<bool>())
            .prop_map(|(id, duplicate)| Reply::Accepted { id, duplicate }),
        (code, any::<String>()).prop_map(|(code, message)| Reply::Rejected { code, message }),
        Just(Reply::Bye),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Prompt),
        Just(Kind::Notification),
        Just(Kind::Tool),
        Just(Kind::ToolFailed),
        Just(Kind::Subagent),
        Just(Kind::Stop),
        Just(Kind::StopFailed),
        Just(Kind::Start),
        Just(Kind::End),
        Just(Kind::Finalize),
    ]
}

prop_compose! {
    fn event()(
        (kind, id, at) in (kind(), any::<u128>(), any::<i64>()),
        (client, session) in any::<(String, String)>(),
        (turn, cwd, text, reason) in any::<(Option<String>, Option<String>, Option<String>, Option<String>)>(),
        (transcript, shown_epoch, private) in any::<(Option<String>, Option<i64>, bool)>(),
        project in option::of((vec(any::<String>(), 0..3), any::<String>(), any::<String>())),
        tool in option::of(any::<(String, Option<String>, Option<String>, Option<String>)>()),
        files in vec(any::<(String, String)>(), 0..3),
        agent in option::of(any::<(String, String)>()),
        process in option::of(any::<(i32, u64)>()),
        uses in vec(any::<(String, String, u32, i64)>(), 0..3),
    ) -> Event {
        Event {
            id: Uuid::from_u128(id), kind, client, session, turn, at, cwd, text, private, reason,
            shown_epoch, transcript,
            project: project.map(|(keys, name, root)| Project { keys, name, root }),
            tool: tool.map(|(name, use_id, input, response)| Tool {
                name, use_id, input, response,
                files: files.into_iter().map(|(path, blob)| SeenFile { path, blob }).collect(),
            }),
            agent: agent.map(|(id, r#type)| Agent { id, r#type }),
            process: process.map(|(pid, start)| Process { pid, start }),
            uses: uses
                .into_iter()
                .map(|(row, place, tokens, at)| Use { row, place, tokens, at })
                .collect(),
        }
    }
}

fn is_body_error<M>(result: &Result<M, FrameError>) -> bool {
    matches!(result, Err(FrameError::Body(_)))
}

proptest! {
    #[test]
    fn any_header_decodes_or_fails(header in any::<[u8; HEADER]>()) {
        let _ = frame::body_len(&header);
    }

    #[test]
    fn a_length_is_accepted_up_to_the_limit(version in any::<u8>(), len in any::<u32>()) {
        let mut header = frame::unsupported();
        header[4] = version;
        header[5..].copy_from_slice(&len.to_le_bytes());
        let expected = match (version, len as usize) {
            (v, _) if v == 0 || v > VERSION => Err(FrameError::Version(v)),
            (_, n) if n > MAX_BODY => Err(FrameError::TooLong(n)),
            (_, n) => Ok(n),
        };
        prop_assert_eq!(frame::body_len(&header), expected);
    }

    #[test]
    fn any_body_decodes_or_fails(body in vec(any::<u8>(), 0..200)) {
        let _ = frame::decode::<Request>(&body);
        let _ = frame::decode::<Reply>(&body);
    }

    #[test]
    fn damaged_messages_decode_or_fail(request in request(), at in any::<Index>(), byte in any::<u8>()) {
        let mut bytes = frame::encode(&request).unwrap();
        let i = at.index(bytes.len());
        bytes[i] = byte;
        let header: [u8; HEADER] = bytes[..HEADER].try_into().unwrap();
        let _ = frame::body_len(&header);
        let _ = frame::decode::<Request>(&bytes[HEADER..]);
    }

    #[test]
    fn messages_round_trip(request in request(), reply in reply()) {
        let bytes = frame::encode(&request).unwrap();
        prop_assert_eq!(frame::decode::<Request>(&bytes[HEADER..]), Ok(request));
        let bytes = frame::encode(&reply).unwrap();
        prop_assert_eq!(frame::decode::<Reply>(&bytes[HEADER..]), Ok(reply));
    }

    #[test]
    fn trailing_bytes_are_refused(reply in reply(), more in vec(any::<u8>(), 1..20)) {
        let mut bytes = frame::encode(&reply).unwrap();
        bytes.extend(more);
        prop_assert!(is_body_error(&frame::decode::<Reply>(&bytes[HEADER..])));
    }

    #[test]
    fn a_truncated_message_is_refused(reply in reply(), at in any::<Index>()) {
        let bytes = frame::encode(&reply).unwrap();
        let body = &bytes[HEADER..];
        prop_assert!(is_body_error(&frame::decode::<Reply>(&body[..at.index(body.len())])));
    }

    #[test]
    fn events_round_trip(event in event()) {
        let json = event.to_json();
        prop_assert!(!json.contains('\n'), "an event is one line");
        prop_assert_eq!(Event::from_json(&json).unwrap(), event);
    }

    #[test]
    fn without_text_removes_all_text(event in event(), word in "[A-Z]{12}") {
        let mut event = event;
        event.text = Some(word.clone());
        event.tool = Some(Tool {
            name: "Bash".into(),
            use_id: None,
            input: Some(word.clone()),
            response: Some(word.clone()),
            files: vec![SeenFile { path: word.clone(), blob: word.clone() }],
        });
        let bare = event.clone().without_text();
        prop_assert!(!bare.to_json().contains(&word));
        prop_assert_eq!(bare.private, event.private);
        prop_assert_eq!((bare.id, bare.kind, bare.session), (event.id, event.kind, event.session));
    }

    #[test]
    fn any_text_parses_or_fails(text in any::<String>(), json in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,80}") {
        for text in [text, json] {
            let _ = Event::from_json(&text);
            let _ = line::parse(&text);
        }
    }

    #[test]
    fn damaged_events_parse_or_fail(event in event(), at in any::<Index>(), byte in any::<u8>()) {
        let mut bytes = event.to_json().into_bytes();
        let i = at.index(bytes.len());
        bytes[i] = byte;
        let text = String::from_utf8_lossy(&bytes);
        let _ = Event::from_json(&text);
        let _ = line::parse(&text);
    }

    #[test]
    fn unknown_kinds_are_unknown(word in "[a-z_]{1,20}_later") {
        let text = event_with(&format!(r#""kind":"{word}""#));
        prop_assert_eq!(Event::from_json(&text).unwrap().kind, Kind::Unknown);
    }

    #[test]
    fn unknown_fields_are_ignored(name in "later_[a-z]{1,9}", value in any::<i64>()) {
        let text = event_with(&format!(r#""kind":"stop","{name}":{{"a":[{value}]}}"#));
        prop_assert_eq!(Event::from_json(&text).unwrap().kind, Kind::Stop);
        let status: Status =
            serde_json::from_str(&format!(r#"{{"ok":true,"pid":7,"{name}":{value}}}"#)).unwrap();
        prop_assert_eq!(status, Status { pid: 7, ..Status::default() });
    }
}

/// The JSON of an event with the required fields and `rest`.
fn event_with(rest: &str) -> String {
    format!(r#"{{"id":"{}",{rest},"client":"c","session":"s","at":1}}"#, Uuid::nil())
}

#[test]
fn unknown_nested_fields_are_ignored() {
    let text = event_with(
        r#""kind":"tool","tool":{"name":"Bash","later":1},"agent":{"id":"a","later":1},
           "process":{"pid":1,"start":2,"later":3},"project":{"keys":[],"name":"n","root":"r","x":1}"#,
    );
    let event = Event::from_json(&text).unwrap();
    assert_eq!(event.tool.unwrap().name, "Bash");
    assert_eq!(event.agent.unwrap(), Agent { id: "a".into(), r#type: String::new() });
    assert_eq!(event.process.unwrap(), Process { pid: 1, start: 2 });
    assert_eq!(event.project.unwrap().root, "r");
}

#[test]
fn an_event_without_a_required_field_is_refused() {
    let whole = event_with(r#""kind":"stop""#);
    assert!(Event::from_json(&whole).is_ok());
    for field in ["id", "kind", "client", "session", "at"] {
        let without = whole.replace(&format!("\"{field}\":"), &format!("\"not_{field}\":"));
        assert!(Event::from_json(&without).is_err(), "{field}");
    }
}

/// An event request whose body has exactly `len` bytes.
fn request_of_len(len: usize) -> Request {
    // One byte for the variant, one for the empty key, five for the length of the text.
    Request::Event { session_key: String::new(), json: "x".repeat(len - 7) }
}

#[test]
fn the_size_limit_holds_for_encoding_and_decoding() {
    let largest = frame::encode(&request_of_len(MAX_BODY)).unwrap();
    assert_eq!(largest.len(), HEADER + MAX_BODY);
    assert_eq!(frame::body_len(largest[..HEADER].try_into().unwrap()), Ok(MAX_BODY));
    assert_eq!(frame::decode::<Request>(&largest[HEADER..]), Ok(request_of_len(MAX_BODY)));
    assert_eq!(
        frame::encode(&request_of_len(MAX_BODY + 1)),
        Err(FrameError::TooLong(MAX_BODY + 1))
    );
}

#[test]
fn a_claimed_length_is_not_allocated() {
    for length in [u64::MAX, 1 << 40, 1 << 32, 4 << 20] {
        // `Reply::Status` with the length of its text but without the text.
        let mut body = vec![1, 253];
        body.extend(length.to_le_bytes());
        let why = frame::decode::<Reply>(&body).unwrap_err();
        assert!(why.to_string().contains("LimitExceeded"), "{length}: {why}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let deep = "[".repeat(200_000);
    assert!(line::parse(&deep).is_err());
    assert!(Event::from_json(&event_with(&format!(r#""kind":"stop","x":{deep}"#))).is_err());
}

#[test]
fn the_error_for_an_unknown_line_type_names_the_known_types() {
    for text in ["", "{}", "[]", "3", "\"ping\"", "{\"type\":3}", "{\"type\":null}", "{\"type\":"] {
        assert!(line::parse(text).is_err(), "{text}");
    }
    let why = line::parse(r#"{"type":"observe"}"#).unwrap_err();
    assert!(why.contains("'observe'") && why.contains("observation"), "{why}");
    assert_eq!(line::parse(r#"{"later":1,"type":"ping"}"#), Ok(line::Request::Ping));
}
