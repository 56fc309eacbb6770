//! Decides whether the value of a name is a secret: by the name, by how the value is written, and by what
//! it looks like.

use std::ops::Range;

use super::assignment::{Assignment, Form, Member};
use super::name::{Name, Strength};
use super::value::{
    is_code, is_file_path, is_hex_hash, is_number, is_placeholder, is_random, is_reference,
    is_uuid, is_wordy,
};

/// Returns the secret part of a member's value, if `name` is what its key says.
pub fn secret_of_member(name: Name, member: &Member) -> Option<Range<usize>> {
    let assigned = member.assignment();
    is_secret(name, &assigned, &member.value[assigned.value.clone()]).then_some(assigned.value)
}

/// Whether the value of this assignment is a secret.
pub fn is_secret(name: Name, assignment: &Assignment, value: &str) -> bool {
    if value.len() < 3 || is_placeholder(value) || value.starts_with("--") || is_number(value) {
        return false;
    }
    let form = assignment.form;
    if matches!(form, Form::Element | Form::Prose) && value.contains(char::is_whitespace) {
        return false;
    }
    let has_digit = value.contains(|c: char| c.is_ascii_digit());
    let has_letter = value.contains(|c: char| c.is_ascii_alphabetic());
    match name.strength {
        Strength::Password => is_password(assignment, value),
        _ if form == Form::Scheme => {
            value.len() >= 8
                && (has_digit && has_letter || is_random(value))
                && !value.contains(char::is_whitespace)
                && !is_code(value)
        }
        Strength::Token if value.contains(char::is_whitespace) => false,
        Strength::Token => {
            let is_expression =
                matches!(form, Form::Bare | Form::Line | Form::Shell) && is_code(value);
            !is_expression
                && !is_file_path(value)
                && (form != Form::Prose || value.len() >= 12 && has_digit)
                && !is_reference(value)
                && (is_random(value)
                    || is_uuid(value)
                    || form == Form::Shell && has_digit && has_letter && value.len() >= 8)
        }
        Strength::Weak => {
            let is_expression = form == Form::Bare && is_code(value);
            let min = if name.kind == "auth" || name.kind == "signature" { 12 } else { 16 };
            value.len() >= min
                && !is_expression
                && has_digit
                && is_random(value)
                && !is_uuid(value)
                && !is_file_path(value)
                && form != Form::Prose
                && (form == Form::Quoted || !value.contains(':'))
                && !is_reference(value)
                && !value.rsplit(['-', ':']).next().is_some_and(is_hex_hash)
                && (!is_hex_hash(value) || name.kind == "secret")
        }
    }
}

fn is_password(assignment: &Assignment, value: &str) -> bool {
    let has_digit = value.contains(|c: char| c.is_ascii_digit());
    let is_letters = value.chars().all(|c| c.is_ascii_alphabetic());
    let is_lower = is_letters && !value.contains(|c: char| c.is_ascii_uppercase());
    let has_symbol =
        value.contains(|c: char| c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '.'));
    // `# pass 12`, `PASS: test_a`
    let is_result = assignment.name.eq_ignore_ascii_case("pass");
    let is_digits = value.bytes().all(|b| b.is_ascii_digit());
    let in_code = matches!(assignment.form, Form::Bare | Form::Argument);
    if is_file_path(value) || is_digits && (is_result || in_code || value.len() < 4) {
        return false;
    }
    if value.contains(char::is_whitespace) {
        let is_phrase = assignment.name.to_ascii_lowercase().contains("phrase")
            && value.chars().all(|c| c.is_ascii_lowercase() || c == ' ');
        let is_spaced = has_digit && value.len() <= 64 && (has_symbol || !value.ends_with('.'));
        return assignment.form == Form::Quoted
            && (is_phrase || is_spaced && value.split(' ').count() <= 4);
    }
    if !value.is_ascii() && !has_digit && !has_symbol {
        return false; // A word in another language, such as a label.
    }
    if is_reference(value) {
        return false;
    }
    let names_field = |value: &str| {
        let lower = value.to_ascii_lowercase();
        ["passw", "pwd", "secret", "token"].iter().any(|word| lower.contains(word))
            && !has_digit
            && !has_symbol
    };
    if names_field(value) {
        return false;
    }
    match assignment.form {
        Form::Quoted | Form::Element => {
            !is_letters || is_lower && value.len() >= 5 || is_random(value)
        }
        _ if is_passphrase(value) => true,
        Form::Prose => is_strong_word(value),
        Form::Stated => is_strong_word(value) && !is_method(value) || is_stated_password(value),
        Form::Cell => !value.contains('|') && (has_digit || has_symbol || is_random(value)),
        Form::Argument => !is_letters && (has_digit || has_symbol),
        Form::Shell => !is_code(value) || is_random(value),
        Form::Line | Form::Scheme => {
            let is_word = value.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            (!is_code(value) || is_random(value))
                && (!is_word || is_lower && value.len() >= 6 || is_random(value))
                && (!is_result || has_digit && (has_symbol || is_random(value)))
        }
        Form::Bare => {
            let is_identifier = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            !is_code(value)
                && (is_random(value)
                    || has_digit && has_symbol && value.len() >= 6
                    || is_identifier
                        && has_digit
                        && value.len() >= 6
                        && !is_result
                        && !is_wordy(value))
        }
    }
}

/// Whether `value` consists of several words with dashes: `correct-horse-battery`.
fn is_passphrase(value: &str) -> bool {
    let is_word =
        |word: &str| matches!(word.len(), 3..=12) && word.bytes().all(|b| b.is_ascii_lowercase());
    let words = value.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').split('-');
    words.clone().count() >= 3 && words.clone().all(is_word)
}

/// Whether a word of prose can only be a password.
fn is_strong_word(value: &str) -> bool {
    let has = |test: fn(char) -> bool| value.contains(test);
    let has_symbol =
        has(|c| c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '.' | '/' | ':' | ','));
    let has_digit = has(|c| c.is_ascii_digit());
    let has_letter = has(|c| c.is_ascii_alphabetic());
    let has_cases = has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_lowercase());
    value.len() >= 6
        && has_letter
        && !is_code(value)
        && !value.starts_with(['-', '@', '#'])
        && (has_digit
            && (has_symbol
                || has_cases
                || value.len() >= 7 && !value.contains(['_', '.', '/', ':']))
            || is_random(value))
}

/// Whether a word behind "the password is" can be a password: it has a digit, a capital inside or a part
/// that is no word.
fn is_stated_password(value: &str) -> bool {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    // `12-character`, `8-bit`
    let is_measure = value.split_once('-').is_some_and(|(n, unit)| {
        is_number(n) && unit.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    });
    let bytes = value.as_bytes();
    let has_letter = bytes.iter().any(u8::is_ascii_alphabetic);
    let has_inner_capital = bytes
        .windows(2)
        .any(|pair| pair[0].is_ascii_alphanumeric() && pair[1].is_ascii_uppercase())
        && bytes.iter().any(u8::is_ascii_lowercase);
    value.len() >= 6
        && value.is_ascii()
        && has_letter
        && !is_measure
        && !is_code(value)
        && !value.starts_with(['-', '@', '#'])
        && !is_method(value)
        && (bytes.iter().any(u8::is_ascii_digit)
            || has_inner_capital
            || value.contains('-') && value.split('-').any(is_random))
}

/// Whether a word is what is done with passwords: `SHA-256`, `base64-encoded`.
fn is_method(word: &str) -> bool {
    const METHODS: [&str; 9] =
        ["base64", "base32", "sha", "argon2", "pbkdf2", "md5", "utf", "bcrypt", "scrypt"];
    let lower = word.to_ascii_lowercase();
    let rest = METHODS.iter().find_map(|method| lower.strip_prefix(method));
    let is_tail = |part: &str| {
        part.bytes().all(|b| b.is_ascii_digit()) || part.bytes().all(|b| b.is_ascii_lowercase())
    };
    rest.is_some_and(|rest| rest.len() < 12 && rest.split('-').all(is_tail))
}

/// Whether the cell of a table below the name is a secret.
pub fn is_secret_cell(name: Name, value: &str) -> bool {
    let assigned = Assignment { name: "", value: 0..value.len(), form: Form::Cell };
    is_secret(name, &assigned, value)
}
