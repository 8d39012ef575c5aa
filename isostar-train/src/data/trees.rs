//! Sentences of the Stanford Sentiment Treebank: one bracketed tree per line, the format of SST-5.

use std::path::Path;

use super::text_file::{content, read_text};
use super::{DataError, TextRow};

/// Reads each tree of a file as a sentence with the label of the tree's root.
///
/// ```text
/// (3 (2 a) (4 (4 lovely) (2 film)))   ──▶   "a lovely film", label 3
/// ```
///
/// Words are separated by one space, as in the treebank. The escapes `-LRB-`, `-RRB-`, `\/` and
/// `\*` are replaced by `(`, `)`, `/` and `*`.
///
/// # Errors
/// [`DataError::BadTree`] with the line, and the errors of a file that cannot be read or is empty.
pub fn read_trees(path: &Path) -> Result<Vec<TextRow>, DataError> {
    parse_trees(&read_text(path)?, path)
}

/// Parses the trees in a file's content; errors name `path`.
pub(super) fn parse_trees(text: &str, path: &Path) -> Result<Vec<TextRow>, DataError> {
    let lines = content(text, path)?
        .lines()
        .enumerate()
        .filter(|(_, tree)| !tree.trim().is_empty());
    let row = |(index, tree): (usize, &str)| {
        let line = index + 1;
        let (label, text) = sentence(tree).map_err(|reason| DataError::BadTree {
            path: path.into(),
            line,
            reason,
        })?;
        Ok(TextRow {
            text,
            pair: None,
            label,
            line,
        })
    };
    lines.map(row).collect()
}

/// Tokens that the parser accepts next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// After an opening bracket: a label.
    Label,
    /// After a label: a word or the first child.
    Inside,
    /// After a child: another child or the end of the node.
    Child,
    /// After a word: the end of the node.
    End,
}

/// Label of a tree's root, and the words of its leaves joined by spaces.
///
/// Iterative, because the depth of a tree is limited only by the length of its line.
fn sentence(tree: &str) -> Result<(String, String), &'static str> {
    let (mut root, mut words): (Option<&str>, Vec<String>) = (None, Vec::new());
    let (mut depth, mut expect) = (0_usize, Expect::Child);
    for token in tokens(tree) {
        if depth == 0 && (root.is_some() || token != "(") {
            return Err("the line is not one tree in brackets");
        }
        expect = match (token, expect) {
            ("(", Expect::Inside | Expect::Child) => {
                depth += 1;
                Expect::Label
            }
            (")", Expect::Child | Expect::End) => {
                depth -= 1;
                Expect::Child
            }
            ("0" | "1" | "2" | "3" | "4", Expect::Label) => {
                root.get_or_insert(token);
                Expect::Inside
            }
            (_, Expect::Label) => {
                return Err("an opening bracket must be followed by a label from 0 to 4");
            }
            ("(", Expect::End) | (")", Expect::Inside) => {
                return Err("a node must contain either one word or only nodes");
            }
            (word, Expect::Inside) => {
                words.push(unescaped(word));
                Expect::End
            }
            (_, Expect::Child | Expect::End) => {
                return Err("a node must contain either one word or only nodes");
            }
        };
    }
    match (root, depth) {
        (Some(label), 0) => Ok((label.to_string(), words.join(" "))),
        _ => Err("an opening bracket is never closed"),
    }
}

/// Splits a tree into brackets, labels and words.
fn tokens(tree: &str) -> impl Iterator<Item = &str> {
    let mut rest = tree;
    std::iter::from_fn(move || {
        // Only ASCII white space separates tokens: the treebank's mixed fractions contain U+00A0.
        rest = rest.trim_ascii_start();
        let length = match rest.chars().next()? {
            '(' | ')' => 1,
            _ => rest
                .find(|character: char| {
                    matches!(character, '(' | ')') || character.is_ascii_whitespace()
                })
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        Some(token)
    })
}

fn unescaped(word: &str) -> String {
    match word {
        "-LRB-" => "(".into(),
        "-RRB-" => ")".into(),
        word => word.replace("\\/", "/").replace("\\*", "*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &str) -> Result<Vec<TextRow>, DataError> {
        parse_trees(content, Path::new("trees.txt"))
    }

    #[test]
    fn a_tree_becomes_its_words_with_the_label_of_its_root() {
        let rows =
            parse("(3 (2 a) (4 (4 lovely) (2 film)))\r\n\n(0 (2 -LRB-) (1 (2 1\\/2) (2 -RRB-)))\n")
                .unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.text.as_str(), row.label.as_str(), row.line))
            .collect();
        assert_eq!(found, [("a lovely film", "3", 1), ("( 1/2 )", "0", 3)]);
        assert_eq!(
            parse("(2 (2 aged) (2 8\u{a0}1\\/2))").unwrap()[0].text,
            "aged 8\u{a0}1/2"
        );
    }

    #[test]
    fn malformed_trees_name_their_line() {
        for (second, reason) in [
            ("(3 (2 a) (4 film)", "never closed"),
            ("(3 (2 a)) (2 b)", "not one tree"),
            ("a lovely film", "not one tree"),
            ("(3 (2 a)))", "not one tree"),
            ("(5 a)", "label from 0 to 4"),
            ("(a)", "label from 0 to 4"),
            ("()", "label from 0 to 4"),
            ("(2)", "either one word"),
            ("(2 a b)", "either one word"),
            ("(2 a (2 b))", "either one word"),
            ("(2 (2 b) a)", "either one word"),
        ] {
            let error = parse(&format!("(2 good)\n{second}\n"))
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("trees.txt, line 2: ") && error.contains(reason),
                "{second}: {error}"
            );
        }
    }

    #[test]
    fn a_tree_may_be_deep() {
        let depth = 100_000;
        let tree = format!("{}2 a{}", "(2 ".repeat(depth) + "(", ")".repeat(depth + 1));
        assert_eq!(parse(&tree).unwrap()[0].text, "a");
    }
}
