//! Sanitizes, truncates and splits text that memctl shows, stores or compares.
//!
//! These functions do not depend on events or rows. The modules that write JSON, Markdown or XML
//! handle text in that syntax.

pub mod bytes;
mod fnv;
mod located;
mod middle;
mod mixer;
mod names;
mod nearest;
mod quote;
mod sanitize;
mod search;
mod sentences;
mod shell_word;
pub mod similarity;
mod statement;
mod truncate;
mod word_list;
mod words;

pub use fnv::{fnv_32, fnv_64};
pub use located::Located;
pub use middle::{MAX_SHIFT, cut_marker, truncate_middle};
pub use mixer::Mixer;
pub use names::{is_code, is_name};
pub use nearest::{nearest, nearest_within};
pub use quote::{one_line, quote};
pub use sanitize::{
    escape, escape_json, for_terminal, sanitize, strip_escapes, without_controls, without_invisible,
};
pub use search::{MAX_ESCAPED, Needle};
pub use sentences::{code_len, codes, sentences, sentences_as_typed, sentences_of_prose};
pub use shell_word::shell_word;
pub use statement::{statement, statement_hash};
pub use truncate::{truncate, truncate_columns, truncate_columns_start};
pub use word_list::Words;
pub use words::{collapse_spaces, stem, words};
