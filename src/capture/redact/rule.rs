//! The form of a rule for tokens of vendors.

/// A token that begins with characters of its own, such as `ghp_`.
#[derive(Debug)]
pub struct TokenRule {
    /// The kind in the marker and the name of the rule.
    pub id: &'static str,
    /// At least one of these is in every token of this kind. At least three bytes, compared without case.
    pub keywords: &'static [&'static str],
    pub before: Before,
    /// Matches the whole token. If it has a group, the group is the secret.
    pub regex: &'static str,
    /// Minimum Shannon entropy of the token, in bits per character. 0: any.
    pub entropy: f32,
}

/// Where a token begins, relative to its keyword.
#[derive(Clone, Copy, Debug)]
pub enum Before {
    Nothing,
    /// This many bytes before.
    Bytes(u8),
    /// At the first of the digits before the keyword.
    Digits,
    /// At the `https://` of the URL that contains the keyword.
    Host,
}

/// A value that is a secret if the name before it contains a keyword: `discord_x = …`.
#[derive(Debug)]
pub struct VendorRule {
    pub id: &'static str,
    /// At least three bytes, compared without case.
    pub keywords: &'static [&'static str],
    /// Matches the whole value.
    pub value: &'static str,
    /// Minimum Shannon entropy of the value, in bits per character. 0: any.
    pub entropy: f32,
}
