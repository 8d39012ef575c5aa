//! Normalizing answers as SQuAD does: case, punctuation, articles and spacing are ignored.

use super::word::is_alphanumeric;

/// Normalizes an answer: lower case, no ASCII punctuation, no English articles, words separated by
/// one space.
///
/// ```text
/// text ──lower──▶ ──drop !"#$%&'()*+,-./:;<=>?@[\]^_`{|}~──▶ ──\b(a|an|the)\b → " "──▶ ──split, join with " "──▶ answer
/// ```
///
/// Punctuation is removed before articles and leaves no gap: `x-the-y` becomes `xthey`, `a's`
/// becomes `as`. Non-ASCII punctuation, such as “ and —, is kept. As in Python, a word ends at any
/// character that is neither letter nor number, including a combining accent. The result may be
/// empty.
///
/// # References
/// SQuAD's evaluate-v1.1.py; Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (EMNLP 2016).
pub fn normalize_answer(answer: &str) -> String {
    let mut kept = answer.to_lowercase();
    kept.retain(|character| !character.is_ascii_punctuation());

    let mut plain = String::with_capacity(kept.len());
    let mut rest = kept.as_str();
    while !rest.is_empty() {
        let (word, after) = rest.split_at(
            rest.find(|character| !is_alphanumeric(character))
                .unwrap_or(rest.len()),
        );
        let (gap, next) = after.split_at(after.find(is_alphanumeric).unwrap_or(after.len()));
        plain.push_str(if ARTICLES.contains(&word) { " " } else { word });
        plain.push_str(gap);
        rest = next;
    }
    words(&plain).collect::<Vec<_>>().join(" ")
}

const ARTICLES: [&str; 3] = ["a", "an", "the"];

/// Returns the words of a text, split as by Python's `str.split`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// Whether Python counts the character as white space. Python includes the four information
/// separators, which Unicode's property does not.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_articles_and_spacing_are_ignored() {
        assert_eq!(
            normalize_answer("  The \"River\",\tan old\nU.S. river!"),
            "river old us river"
        );
    }

    #[test]
    fn articles_inside_words_are_kept() {
        assert_eq!(
            normalize_answer("Anthem atheist banana"),
            "anthem atheist banana"
        );
    }

    #[test]
    fn punctuation_is_removed_before_articles_and_leaves_no_gap() {
        assert_eq!(normalize_answer("x-the-y a's the_end"), "xthey as theend");
    }

    #[test]
    fn non_ascii_punctuation_is_kept_and_ends_a_word() {
        assert_eq!(normalize_answer("“The” river—a town"), "“ ” river— town");
    }

    #[test]
    fn articles_alone_normalize_to_an_empty_answer() {
        assert_eq!(normalize_answer("The a, AN!"), "");
    }

    #[test]
    fn a_combining_accent_ends_a_word_and_a_composed_letter_does_not() {
        assert_eq!(
            normalize_answer("a\u{301} \u{e1} a\u{345}"),
            "\u{301} \u{e1} \u{345}"
        );
    }
}
