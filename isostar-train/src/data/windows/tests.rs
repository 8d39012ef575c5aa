use super::super::DEFAULT_TOKENIZER;
use super::*;

const PATH: &str = "dev.json";

fn question(answer: &str, paragraph: &str) -> Question {
    let start = paragraph[..paragraph.find(answer).unwrap()].chars().count();
    Question {
        id: "q1".into(),
        answers: vec![GoldAnswer {
            text: answer.into(),
            start,
        }],
    }
}

fn windows(
    max_length: usize,
    stride: usize,
    paragraph: &str,
    answer: &str,
) -> Result<Windows, DataError> {
    let row = TextRow {
        text: "area man".into(),
        pair: Some(paragraph.into()),
        label: String::new(),
        line: 3,
    };
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, max_length).unwrap();
    let settings = WindowSettings {
        stride,
        keep_places: true,
    };
    encoder.encode_windows(
        &[row],
        &[question(answer, paragraph)],
        settings,
        Path::new(PATH),
    )
}

#[test]
fn windows_overlap_by_the_stride_and_cover_the_paragraph() {
    let paragraph: Vec<String> = (0..20)
        .map(|number| format!("man{}", "s".repeat(number % 2)))
        .collect();
    let paragraph = paragraph.join(" ");
    // Three special tokens and two tokens of the question leave seven tokens.
    let windows = windows(12, 3, &paragraph, "man").unwrap();
    let whole = TextEncoder::from_json(DEFAULT_TOKENIZER, 512).unwrap();
    let tokens: Vec<u32> = whole
        .tokenizer()
        .encode(paragraph.as_str(), false)
        .unwrap()
        .get_ids()
        .to_vec();
    let of_window = |window: u32| -> Vec<u32> {
        let inside = windows
            .ids(window)
            .iter()
            .zip(windows.places(window))
            .filter(|(_, place)| place.is_some());
        inside.map(|(id, _)| *id).collect()
    };
    let mut covered = of_window(0);
    for window in 1..windows.len() as u32 {
        let ids = of_window(window);
        assert_eq!(covered[covered.len() - 3..], ids[..3], "window {window}");
        covered.extend(&ids[3..]);
        assert!(ids.len() <= 7 && windows.question(window) == 0);
    }
    assert_eq!(covered, tokens);
    assert_eq!(windows.cut(), windows.len());
}

#[test]
fn an_answer_is_found_exactly_in_the_windows_that_contain_it() {
    let paragraph =
        "the man said that the area was as good as any other area of the world and trump laughed";
    let windows = windows(14, 4, paragraph, "trump").unwrap();
    assert!(windows.len() > 2);
    let mut found = 0;
    for window in 0..windows.len() as u32 {
        let [first, last] = windows.answer(window);
        if [first, last] == [0, 0] {
            let held = windows
                .places(window)
                .iter()
                .flatten()
                .any(|(start, end)| *start <= 73 && *end >= 78);
            assert!(!held, "window {window}");
            continue;
        }
        found += 1;
        let (start, _) = windows.places(window)[first as usize].unwrap();
        let (_, end) = windows.places(window)[last as usize].unwrap();
        assert_eq!(&paragraph[start as usize..end as usize], "trump");
    }
    assert!(found > 0);
}

#[test]
fn spans_count_characters() {
    let windows = windows(32, 4, "東京 — the man", "man").unwrap();
    let [first, last] = windows.answer(0);
    assert_eq!(
        (
            windows.places(0)[first as usize].unwrap().0,
            windows.places(0)[last as usize].unwrap().1
        ),
        (9, 12)
    );
    assert_eq!(windows.cut(), 0);
}

#[test]
fn a_question_that_leaves_no_room_is_rejected_unless_its_paragraph_fits() {
    let long = "man ".repeat(20);
    let error = windows(12, 7, &long, "man").unwrap_err();
    assert_eq!(
        error.to_string(),
        "dev.json, line 3: question \"q1\" has 2 tokens, which leaves 7 per window for the paragraph; the stride, 7, must be smaller"
    );
    assert_eq!(windows(12, 7, "man", "man").unwrap().len(), 1);
}

#[test]
fn an_answer_within_a_token_maps_to_that_token() {
    let places = [None, Some((0, 5)), Some((6, 9)), None];
    assert_eq!(answer_tokens(&places, 1..3), Some([1, 1]));
    assert_eq!(answer_tokens(&places, 6..9), Some([2, 2]));
    assert_eq!(answer_tokens(&places, 3..7), Some([1, 2]));
    assert_eq!(answer_tokens(&places, 6..10), None);
    assert_eq!(
        answer_tokens(&places, 5..6),
        Some([2, 2]),
        "between two tokens"
    );
    let bytes = [Some((0, 1)), Some((0, 1)), Some((0, 1)), Some((2, 3))];
    assert_eq!(answer_tokens(&bytes, 0..1), Some([0, 0]));
    assert_eq!(answer_tokens(&bytes, 0..3), Some([0, 3]));
    assert_eq!(answer_tokens(&[None, None], 0..1), None);
}

#[test]
fn left_padding_shifts_the_answer_tokens() {
    let paragraphs = ["man", "the area man and the other man"];
    let rows = paragraphs.map(|text| TextRow {
        text: "area".into(),
        pair: Some(text.into()),
        label: String::new(),
        line: 1,
    });
    let questions = paragraphs.map(|paragraph| question("man", paragraph));
    let encoder = TextEncoder::from_json(DEFAULT_TOKENIZER, 32)
        .unwrap()
        .with_padding_side(PaddingSide::Left);
    let settings = WindowSettings {
        stride: 4,
        keep_places: false,
    };
    let windows = encoder
        .encode_windows(&rows, &questions, settings, Path::new(PATH))
        .unwrap();
    let batch = windows.batch(vec![0, 1], &Device::default());
    let ids: Vec<i64> = batch.input.ids.clone().into_data().iter::<i64>().collect();
    let [_, tokens] = batch.input.ids.dims();
    let man = i64::from(encoder.tokenizer().token_to_id("man").unwrap());
    for end in batch.answers {
        let end: Vec<i64> = end.into_data().iter::<i64>().collect();
        assert!(
            end.iter()
                .enumerate()
                .all(|(row, token)| ids[row * tokens + *token as usize] == man),
            "{end:?}"
        );
    }
}
