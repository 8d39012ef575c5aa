use tokenizers::TruncationDirection;

use super::super::DEFAULT_TOKENIZER;
use super::*;

const PADDING: u32 = 0;
const CLASSIFY: u32 = 2;
const SEPARATE: u32 = 3;

fn row(text: &str, pair: Option<&str>) -> TextRow {
    TextRow {
        text: text.into(),
        pair: pair.map(String::from),
        label: "0".into(),
        line: 1,
    }
}

fn encoder(max_length: usize) -> TextEncoder {
    TextEncoder::from_json(DEFAULT_TOKENIZER, max_length).unwrap()
}

fn encode(max_length: usize, rows: &[TextRow]) -> Examples {
    encoder(max_length)
        .encode(rows, vec![0; rows.len()])
        .unwrap()
}

#[test]
fn rows_keep_their_order_across_chunks() {
    let words = ["man", "trump", "area man", "scientists"];
    let rows: Vec<TextRow> = (0..ROWS_AT_ONCE + 5)
        .map(|index| row(words[index % 4], None))
        .collect();
    let labels: Vec<u32> = (0..rows.len() as u32).collect();
    let examples = encoder(16).encode(&rows, labels).unwrap();
    assert_eq!(examples.len(), rows.len());
    for index in 0..rows.len() as u32 {
        assert_eq!(examples.ids(index), examples.ids(index % 4), "row {index}");
    }
    assert_eq!(
        *examples.targets(),
        RowTargets::Classes((0..rows.len() as u32).collect())
    );
    assert_ne!(examples.ids(0), examples.ids(1));
    assert_eq!(
        examples.tokens(),
        examples.lengths().iter().sum::<u32>() as usize
    );
}

#[test]
fn special_tokens_frame_the_text_without_padding() {
    let examples = encode(16, &[row("Area MAN", None), row("", None)]);
    assert_eq!(examples.padding_id(), PADDING);
    assert_eq!(examples.lengths(), [4, 2]);
    assert_eq!(examples.ids(1), [CLASSIFY, SEPARATE]);
    assert_eq!(examples.ids(0)[0], CLASSIFY);
    assert_eq!(examples.ids(0)[3], SEPARATE);
    assert_eq!(examples.type_ids(0), None);
    assert_eq!(
        examples.ids(0),
        encode(16, &[row("area man", None)]).ids(0),
        "the tokenizer lower-cases text"
    );
}

#[test]
fn the_longer_text_of_a_pair_is_truncated_first() {
    let long = "man ".repeat(20);
    let examples = encode(10, &[row(&long, Some("area man")), row(&long, None)]);
    assert_eq!(examples.lengths(), [10, 10]);
    assert_eq!(examples.cut(), 2);
    // Three special tokens leave seven tokens: two for the short text, five for the long one.
    assert_eq!(
        examples.type_ids(0).unwrap(),
        [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    );
    assert_eq!(examples.type_ids(1).unwrap(), [0; 10]);
}

#[test]
fn the_longer_text_is_known_if_both_exceed_the_maximum_length() {
    let [longer, long] = [20, 12].map(|words| "man ".repeat(words));
    let examples = encode(10, &[row(&longer, Some(&long)), row(&long, Some(&longer))]);
    // Seven tokens are left; the longer text gets four of them.
    assert_eq!(
        examples.type_ids(0).unwrap(),
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    );
    assert_eq!(
        examples.type_ids(1).unwrap(),
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    );
}

#[test]
fn left_truncation_keeps_the_end_of_a_text() {
    let mut tokenizer: Tokenizer = DEFAULT_TOKENIZER.parse().unwrap();
    let truncation = TruncationParams {
        direction: TruncationDirection::Left,
        max_length: 512,
        ..TruncationParams::default()
    };
    tokenizer.with_truncation(Some(truncation)).unwrap();
    let encoder = TextEncoder::new(tokenizer, 5).unwrap();
    let examples = encoder
        .encode(
            &[
                row("trump trump area man world", None),
                row("area man world", None),
            ],
            vec![0; 2],
        )
        .unwrap();
    assert_eq!(examples.ids(0), examples.ids(1));
    assert_eq!(examples.cut(), 1);
}

#[test]
fn a_length_without_room_for_text_is_refused() {
    assert!(TextEncoder::from_json(DEFAULT_TOKENIZER, 4).is_ok());
    let error = TextEncoder::from_json(DEFAULT_TOKENIZER, 3).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::MaxLength {
                max_length: 3,
                special: 3
            }
        ),
        "{error}"
    );
}

#[test]
fn a_file_that_is_not_a_tokenizer_is_an_error() {
    assert!(matches!(
        TextEncoder::from_json("{}", 16),
        Err(DataError::Tokenizer { .. })
    ));
    assert!(matches!(
        TextEncoder::from_file(Path::new("no/tokenizer.json"), 16),
        Err(DataError::File(FileError::NotFound { .. }))
    ));
}
