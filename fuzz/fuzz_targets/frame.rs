//! Decodes arbitrary frames. A decoded message is encoded to a frame that decodes to the same message.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use memctl_proto::frame::{self, HEADER};
use memctl_proto::{Event, Reply, Request};

fuzz_target!(|bytes: &[u8]| {
    if let Some((header, body)) = bytes.split_first_chunk::<HEADER>() {
        let _ = frame::body_len(header);
        if let Ok(message) = frame::decode::<Request>(body) {
            if let Request::Event { json, .. } = &message {
                let _ = Event::from_json(json);
            }
            if let Ok(again) = frame::encode(&message) {
                same(&message, frame::decode(&again[HEADER..]));
            }
        }
        if let Ok(message) = frame::decode::<Reply>(body)
            && let Ok(again) = frame::encode(&message)
        {
            same(&message, frame::decode(&again[HEADER..]));
        }
    }
});

fn same<M: Debug + PartialEq, E: Debug>(message: &M, again: Result<M, E>) {
    assert_eq!(message, &again.expect("decodes"));
}
