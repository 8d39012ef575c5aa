//! Points in tensors have the geometry of the same points in files.

use std::path::Path;

use burn::prelude::*;
use burn::tensor::{DType, Distribution};
use isostar_measure::{
    EmbeddingsError, EmbeddingsFile, Geometry, Measures, Points, Sample, geometry, measure,
};

const WIDTH: usize = 6;

fn numbers(rows: usize) -> Vec<f32> {
    Tensor::<1>::random(
        [rows * WIDTH],
        Distribution::Normal(0.5, 2.0),
        &Device::flex(),
    )
    .try_into_vec_as()
    .unwrap()
}

/// Writes an .npy array of these numbers.
fn write(path: &Path, description: &str, shape: &str, bytes: impl IntoIterator<Item = u8>) {
    let header =
        format!("{{'descr': '{description}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = [
        b"\x93NUMPY\x01\x00",
        &(header.len() as u16).to_le_bytes()[..],
        header.as_bytes(),
    ]
    .concat();
    file.extend(bytes);
    std::fs::write(path, file).unwrap();
}

fn measured(points: &Points) -> Geometry {
    measure(points, None, Measures::default(), &Device::flex(), &|_| ()).unwrap()
}

#[test]
fn a_tensor_has_the_geometry_of_the_same_array_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.npy");
    let numbers = numbers(300);
    write(
        &path,
        "<f4",
        "(300, 6)",
        numbers.iter().flat_map(|number| number.to_le_bytes()),
    );
    let expected = measured(
        &EmbeddingsFile::open(&path)
            .unwrap()
            .points(None, None)
            .unwrap()[0],
    );

    let tensor = Tensor::<2>::from_data(TensorData::new(numbers, [300, WIDTH]), &Device::flex());
    assert_eq!(geometry(tensor.clone()).unwrap(), expected);
    assert_eq!(
        geometry(tensor.clone().autodiff().require_grad()).unwrap(),
        expected,
        "on the autodiff graph"
    );
    assert_eq!(
        geometry(tensor.clone().cast(DType::F64)).unwrap(),
        expected,
        "in f64"
    );
    assert_eq!(
        geometry(tensor.transpose().transpose()).unwrap(),
        expected,
        "of a view"
    );
}

#[test]
fn a_sample_of_a_tensor_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.npy");
    let numbers = numbers(300);
    write(
        &path,
        "<f4",
        "(300, 6)",
        numbers.iter().flat_map(|number| number.to_le_bytes()),
    );
    let sampled = Measures::All(Sample {
        points: 40,
        seed: 7,
    });
    let of = |points: &Points| measure(points, None, sampled, &Device::flex(), &|_| ()).unwrap();
    let tensor = Tensor::from_data(TensorData::new(numbers, [300, WIDTH]), &Device::flex());
    let found = of(&Points::from_tensor(tensor).unwrap());
    assert_eq!(
        found,
        of(&EmbeddingsFile::open(&path)
            .unwrap()
            .points(None, None)
            .unwrap()[0])
    );
    assert_eq!(found.sample, Some(40));
}

#[test]
fn sequences_without_padding_have_the_geometry_of_padded_ones_in_a_file() {
    const WIDE: usize = 256;
    // Padded to ten tokens, these are 40,000 rows, and blocks have 32,768.
    let lengths: Vec<usize> = (0..4000)
        .map(|sequence| {
            if sequence % 4 == 0 {
                10
            } else {
                1 + sequence % 3
            }
        })
        .collect();
    let tokens: usize = lengths.iter().sum();
    let states: Vec<f32> = Tensor::<1>::random(
        [tokens * WIDE],
        Distribution::Normal(0.5, 2.0),
        &Device::flex(),
    )
    .try_into_vec_as()
    .unwrap();
    let mut padded = vec![f32::NAN; 4000 * 10 * WIDE];
    let mut start = 0;
    for (sequence, length) in lengths.iter().enumerate() {
        padded[sequence * 10 * WIDE..][..length * WIDE]
            .copy_from_slice(&states[start..][..length * WIDE]);
        start += length * WIDE;
    }
    let folder = tempfile::tempdir().unwrap();
    let [path, mask] = ["states.npy", "mask.npy"].map(|name| folder.path().join(name));
    write(
        &path,
        "<f4",
        &format!("(4000, 10, {WIDE})"),
        padded.iter().flat_map(|number| number.to_le_bytes()),
    );
    write(
        &mask,
        "|b1",
        "(4000, 10)",
        lengths
            .iter()
            .flat_map(|length| (0..10).map(move |token| u8::from(token < *length))),
    );

    let of_file = &EmbeddingsFile::open(&path)
        .unwrap()
        .points(None, mask.to_str())
        .unwrap()[0];
    let tensor = Tensor::from_data(TensorData::new(states, [tokens, WIDE]), &Device::flex());
    let found = Points::from_sequences(tensor.clone(), &lengths, "the states").unwrap();
    let sampled = Measures::All(Sample {
        points: 20,
        seed: 0,
    });
    let of = |points: &Points| measure(points, None, sampled, &Device::flex(), &|_| ()).unwrap();
    assert_eq!(of(&found), of(of_file));
    let other = of(&Points::from_tensor(tensor).unwrap());
    assert_ne!(
        other.value("partition"),
        of(of_file).value("partition"),
        "other blocks round otherwise"
    );
}

#[test]
fn a_tensor_that_cannot_be_measured_is_an_error() {
    let device = Device::flex();
    let error = |points: Tensor<2>| geometry(points).unwrap_err();
    assert!(matches!(
        error(Tensor::zeros([1, 3], &device)),
        EmbeddingsError::FewPoints { points: 1, .. }
    ));
    assert!(matches!(
        error(Tensor::zeros([5, 1], &device)),
        EmbeddingsError::Narrow { width: 1, .. }
    ));
    assert!(matches!(
        error(Tensor::ones([5, 3], &device)),
        EmbeddingsError::NoVariance { .. }
    ));
    let infinite =
        Tensor::<2>::from_floats([[0.0, 1.0], [2.0, f32::INFINITY], [1.0, 1.0]], &device);
    assert_eq!(
        error(infinite).to_string(),
        "the tensor: inf at row 1, column 1"
    );
}

#[test]
#[should_panic(expected = "4 states for sequences of 5 tokens in total")]
fn lengths_that_do_not_add_up_are_refused() {
    let _ = Points::from_sequences(
        Tensor::zeros([4, 3], &Device::flex()),
        &[2, 3],
        "the states",
    );
}
