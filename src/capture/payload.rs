//! Parses a client's payload leniently: unknown fields are ignored, and a field of the wrong type counts
//! as absent. Texts are borrowed where possible.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::tags;

/// One payload. Texts are unescaped, values are raw JSON.
#[derive(Debug, Default)]
pub struct Payload<'a> {
    pub session_id: Option<Cow<'a, str>>,
    pub hook_event_name: Option<Cow<'a, str>>,
    pub transcript_path: Option<Cow<'a, str>>,
    /// The working directory. A path that is not absolute here is absent: it would be resolved against
    /// the directory of this process.
    pub cwd: Option<Cow<'a, str>>,
    /// `prompt_id`, or Codex's `turn_id`.
    pub turn: Option<Cow<'a, str>>,
    pub tool_name: Option<Cow<'a, str>>,
    pub tool_input: Option<&'a RawValue>,
    /// `tool_response`, or its older name `tool_output`.
    pub tool_response: Option<&'a RawValue>,
    pub tool_use_id: Option<Cow<'a, str>>,
    pub agent_id: Option<Cow<'a, str>>,
    pub agent_type: Option<Cow<'a, str>>,
    pub prompt: Option<Cow<'a, str>>,
    pub last_assistant_message: Option<Cow<'a, str>>,
    /// The message of a failed tool use, or the error code of a failed turn.
    pub error: Option<&'a RawValue>,
    pub error_details: Option<&'a RawValue>,
    pub source: Option<Cow<'a, str>>,
    pub reason: Option<Cow<'a, str>>,
    pub stop_hook_active: bool,
    /// Only in the lines of scripts.
    pub is_error: bool,
    /// The event's id. Only in the lines of scripts.
    pub id: Option<Cow<'a, str>>,
    /// A part of the payload is missing, and its text has a private tag.
    pub lacks_private_part: bool,
}

impl<'a> Payload<'a> {
    /// # Errors
    /// If `text` is not a JSON object.
    pub fn parse(text: &'a str) -> Result<Payload<'a>, serde_json::Error> {
        match Payload::read(text) {
            (payload, None) => Ok(payload),
            (_, Some(error)) => Err(error),
        }
    }

    /// Reads the members of an object up to the first that is invalid or cut. Also returns the error of
    /// that member. Nothing of it is used, because the missing part may end a private block or a secret.
    pub fn read(text: &'a str) -> (Payload<'a>, Option<serde_json::Error>) {
        let mut payload = Payload::default();
        let mut older = OlderNames::default();
        let mut json = serde_json::Deserializer::from_str(text);
        let members = ReadMembers { payload: &mut payload, older: &mut older };
        let error = members.deserialize(&mut json).and_then(|()| json.end()).err();
        payload.turn = payload.turn.or(older.turn_id);
        payload.tool_response = payload.tool_response.or(older.tool_output);
        payload.cwd = payload.cwd.filter(|cwd| Path::new(&**cwd).is_absolute());
        if error.is_some() {
            payload.lacks_private_part = tags::may_have_tags(text);
            // The input decides what is withheld of the response.
            if payload.tool_input.is_none() && payload.tool_name.is_some() {
                (payload.tool_response, payload.error) = (None, None);
            }
        }
        (payload, error)
    }
}

/// The text of a JSON string. `None` for another value.
pub fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get() {
        json if json.starts_with('"') => serde_json::from_str::<Text>(json).ok()?.0,
        _ => None,
    }
}

/// The members of a JSON object, in order. Empty for another value.
pub fn members(raw: &RawValue) -> Vec<(Cow<'_, str>, &RawValue)> {
    serde_json::from_str::<Members>(raw.get()).map(|m| m.0).unwrap_or_default()
}

/// Fields that count if the one with the current name is absent.
#[derive(Default)]
struct OlderNames<'a> {
    turn_id: Option<Cow<'a, str>>,
    tool_output: Option<&'a RawValue>,
}

/// Sets the fields of a payload. An error keeps those that were set before it.
struct ReadMembers<'p, 'a> {
    payload: &'p mut Payload<'a>,
    older: &'p mut OlderNames<'a>,
}

impl<'de> DeserializeSeed<'de> for ReadMembers<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadMembers<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let ReadMembers { payload: p, older } = self;
        while let Some(key) = map.next_key::<Key>()? {
            let text = match &*key.0 {
                "session_id" => &mut p.session_id,
                "hook_event_name" => &mut p.hook_event_name,
                "transcript_path" => &mut p.transcript_path,
                "cwd" => &mut p.cwd,
                "prompt_id" => &mut p.turn,
                "turn_id" => &mut older.turn_id,
                "tool_name" => &mut p.tool_name,
                "tool_use_id" => &mut p.tool_use_id,
                "agent_id" => &mut p.agent_id,
                "agent_type" => &mut p.agent_type,
                "prompt" => &mut p.prompt,
                "last_assistant_message" => &mut p.last_assistant_message,
                "source" => &mut p.source,
                "reason" => &mut p.reason,
                "id" => &mut p.id,
                "tool_input" => {
                    p.tool_input = value(map.next_value()?);
                    continue;
                }
                "tool_response" => {
                    p.tool_response = value(map.next_value()?);
                    continue;
                }
                "tool_output" => {
                    older.tool_output = value(map.next_value()?);
                    continue;
                }
                "error" => {
                    p.error = value(map.next_value()?);
                    continue;
                }
                "error_details" => {
                    p.error_details = value(map.next_value()?);
                    continue;
                }
                "stop_hook_active" => {
                    p.stop_hook_active = map.next_value::<&RawValue>()?.get() == "true";
                    continue;
                }
                "is_error" => {
                    p.is_error = map.next_value::<&RawValue>()?.get() == "true";
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *text = map.next_value::<Text>()?.0;
        }
        Ok(())
    }
}

fn value(raw: &RawValue) -> Option<&RawValue> {
    (raw.get() != "null").then_some(raw)
}

/// A key, borrowed where possible.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(s.into()))
            }
            fn visit_str<E>(self, s: &str) -> Result<Key<'de>, E> {
                Ok(Key(s.to_owned().into()))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(key) = map.next_key::<Key>()? {
                    members.push((key.0, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// A string, or an integer in its place. `None` for another value.
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Some(s.into())))
    }

    fn visit_str<E>(self, s: &str) -> Result<Text<'de>, E> {
        Ok(Text(Some(s.to_owned().into())))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Text<'de>, E> {
        Ok(Text(Some(n.to_string().into())))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Text<'de>, E> {
        Ok(Text(Some(n.to_string().into())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_field_names_of_claude_code_and_codex_are_read() {
        let claude = r#"{"session_id":"s","prompt_id":"p","turn_id":"t","tool_response":{"a":1},
            "tool_output":2,"stop_hook_active":true,"new_field":[{"x":null}]}"#;
        let p = Payload::parse(claude).unwrap();
        assert_eq!((p.session_id.as_deref(), p.turn.as_deref()), (Some("s"), Some("p")));
        assert_eq!(p.tool_response.unwrap().get(), r#"{"a":1}"#);
        assert!(p.stop_hook_active);
        let codex = r#"{"turn_id":"t","transcript_path":null,"tool_output":"out"}"#;
        let p = Payload::parse(codex).unwrap();
        assert_eq!((p.turn.as_deref(), p.transcript_path), (Some("t"), None));
        assert_eq!(text_of(p.tool_response.unwrap()).unwrap(), "out");
    }

    #[test]
    fn a_field_of_the_wrong_type_is_absent() {
        for wrong in ["null", "true", "1.5", "[1,[\"x\"]]", "{\"a\":{\"b\":1}}"] {
            let json = format!(
                r#"{{"cwd":{wrong},"cwd":{wrong},"prompt":{wrong},"tool_use_id":{wrong},
                "stop_hook_active":{wrong},"is_error":"yes","session_id":"s"}}"#
            );
            let p = Payload::parse(&json).expect(&json);
            assert_eq!((p.cwd, p.prompt, p.tool_use_id), (None, None, None));
            assert_eq!((p.stop_hook_active, p.is_error), (wrong == "true", false));
            assert_eq!(p.session_id.as_deref(), Some("s"));
        }
        let p = Payload::parse(r#"{"session_id":17,"prompt_id":-1}"#).unwrap();
        assert_eq!((p.session_id.as_deref(), p.turn.as_deref()), (Some("17"), Some("-1")));
    }

    #[test]
    fn the_fields_before_a_cut_are_read() {
        let stop =
            r#"{"session_id":"s","turn_id":"t","cwd":"/p","last_assistant_message":"Done. It"#;
        let (p, error) = Payload::read(stop);
        assert_eq!((p.session_id.as_deref(), p.turn.as_deref()), (Some("s"), Some("t")));
        assert_eq!((p.last_assistant_message, p.lacks_private_part), (None, false));
        assert!(error.is_some());
        for rest in
            [r#","prompt":"<private>a"#, r#","prompt":"a</private> b"#, r#","x":["<private>"#]
        {
            assert!(Payload::read(&[stop, "\"", rest].concat()).0.lacks_private_part, "{rest}");
        }
        // A response is not used without the input that decides what is withheld of it.
        let response = r#""tool_name":"Read","tool_response":"KEY=1","error":"KEY=1""#;
        let json = format!(r#"{{{response},"tool_input":{{"file_pa"#);
        let (p, _) = Payload::read(&json);
        assert!(p.tool_response.is_none() && p.error.is_none());
        let json = format!(r#"{{"tool_input":{{}},{response},"#);
        let (p, _) = Payload::read(&json);
        assert!(p.tool_response.is_some() && p.error.is_some());
    }

    #[test]
    fn a_directory_is_an_absolute_path() {
        let cwd = |path: &str| {
            let json = serde_json::json!({ "cwd": path }).to_string();
            Payload::parse(&json).unwrap().cwd.map(Cow::into_owned)
        };
        for path in ["C:\\work", "C:/work", "\\\\host\\share", ".", "src", "~/work", ""] {
            assert_eq!(cwd(path), None, "{path}");
        }
        assert_eq!(cwd("/work").as_deref(), Some("/work"));
    }

    #[test]
    fn texts_are_borrowed_where_possible() {
        let p = Payload::parse(r#"{"cwd":"/a","prompt":"a\nb","err\u006fr":"x"}"#).unwrap();
        assert!(matches!(p.cwd, Some(Cow::Borrowed("/a"))));
        assert_eq!(p.prompt.as_deref(), Some("a\nb"));
        assert_eq!(text_of(p.error.unwrap()).as_deref(), Some("x"));
    }

    #[test]
    fn only_a_json_object_is_accepted() {
        for text in ["", "[]", "\"x\"", "{\"a\"}", "{]", "{\"cwd\":\"\\ud800\"}"] {
            assert!(Payload::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in "\\{(\"(cwd|prompt|error|tool_input)\":)?.{0,40}") {
            let _ = Payload::parse(&text).map(|p| p.error.and_then(text_of).is_some());
        }
    }
}
