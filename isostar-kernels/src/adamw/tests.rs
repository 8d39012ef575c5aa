use burn::tensor::Distribution;

use super::*;

const UPDATE: AdamWUpdate = AdamWUpdate {
    rate: 1e-2,
    weight_decay: 0.1,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    step: 1,
};

/// Below, at and above the numbers that a thread updates at once, and no multiples of a register.
const SHAPES: [[usize; 2]; 6] = [[1, 1], [1, 15], [3, 7], [128, 128], [5, 3_277], [129, 513]];

fn random(shape: [usize; 2]) -> Tensor<2> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex())
}

/// Five updates by `adamw`, each with the gradient of its number.
fn steps(
    adamw: impl Fn(
        &AdamWUpdate,
        Tensor<2>,
        Tensor<2>,
        Option<[Tensor<2>; 2]>,
    ) -> (Tensor<2>, [Tensor<2>; 2]),
    parameter: &Tensor<2>,
    gradients: &[Tensor<2>],
) -> [TensorData; 3] {
    let (mut parameter, mut moments) = (parameter.clone(), None);
    for (at, gradient) in gradients.iter().enumerate() {
        let update = AdamWUpdate {
            step: at + 1,
            ..UPDATE
        };
        let (updated, new) = adamw(&update, parameter, gradient.clone(), moments);
        (parameter, moments) = (updated, Some(new));
    }
    let [first, second] = moments.expect("there was an update");
    [parameter, first, second].map(Tensor::into_data)
}

fn composed(
    update: &AdamWUpdate,
    parameter: Tensor<2>,
    gradient: Tensor<2>,
    moments: Option<[Tensor<2>; 2]>,
) -> (Tensor<2>, [Tensor<2>; 2]) {
    let moments = moments.unwrap_or_else(|| [gradient.zeros_like(), gradient.zeros_like()]);
    composition(update, parameter, gradient, moments)
}

#[test]
fn numbers_are_those_of_the_composition_to_the_last_bit() {
    for shape in SHAPES {
        let gradients: Vec<_> = (0..5).map(|_| random(shape)).collect();
        let parameter = random(shape);
        assert_eq!(
            steps(adamw, &parameter, &gradients),
            steps(composed, &parameter, &gradients),
            "{shape:?}"
        );
    }
}

#[test]
fn numbers_are_those_of_the_formula() {
    // In f64, with the settings as f32 rounds them.
    let [beta_1, beta_2, decay, epsilon] = [
        UPDATE.beta_1,
        UPDATE.beta_2,
        UPDATE.weight_decay,
        UPDATE.epsilon,
    ]
    .map(f64::from);
    let shape = [3, 7];
    let gradients: Vec<_> = (0..5).map(|_| random(shape)).collect();
    let parameter = random(shape);
    let [found, ..] =
        steps(adamw, &parameter, &gradients).map(|data| data.try_into_vec::<f32>().unwrap());
    let gradients: Vec<Vec<f32>> = gradients
        .into_iter()
        .map(|gradient| gradient.into_data().try_into_vec().unwrap())
        .collect();
    for (at, start) in parameter
        .into_data()
        .try_into_vec::<f32>()
        .unwrap()
        .into_iter()
        .enumerate()
    {
        let [mut p, mut m, mut v] = [f64::from(start), 0.0, 0.0];
        for (step, gradient) in (1..).zip(&gradients) {
            let g = f64::from(gradient[at]);
            m = beta_1 * m + (1.0 - beta_1) * g;
            v = beta_2 * v + (1.0 - beta_2) * g * g;
            let change =
                m / (1.0 - beta_1.powi(step)) / ((v / (1.0 - beta_2.powi(step))).sqrt() + epsilon);
            p = (1.0 - UPDATE.rate * decay) * p - UPDATE.rate * change;
        }
        // The composition rounds 1 − β₂ᵗ in f32, which loses 5 of its 24 bits.
        assert!(
            (f64::from(found[at]) - p).abs() <= 2e-6 * p.abs().max(1.0),
            "{} and {p}",
            found[at]
        );
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let shape = [129, 513];
    let gradients: Vec<_> = (0..3).map(|_| random(shape)).collect();
    let parameter = random(shape);
    let [one, two, seven] = [1, 2, 7].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| steps(adamw, &parameter, &gradients))
    });
    assert_eq!(one, two);
    assert_eq!(one, seven);
}

#[test]
fn strided_tensors_are_updated_in_the_order_of_their_shape() {
    let [parameter, gradient] = [random([7, 5]), random([7, 5])];
    let plain = |tensor: &Tensor<2>| Tensor::from_data(tensor.clone().into_data(), &Device::flex());
    let strided = |tensor: &Tensor<2>| {
        Tensor::<2>::from_data(tensor.clone().transpose().into_data(), &Device::flex()).transpose()
    };
    let part = |tensor: &Tensor<2>| {
        Tensor::<2>::cat(vec![tensor.clone(), tensor.clone()], 0).slice([7..14, 0..5])
    };
    let expected = steps(adamw, &plain(&parameter), &[plain(&gradient)]);
    assert_eq!(
        steps(adamw, &strided(&parameter), &[plain(&gradient)]),
        expected
    );
    assert_eq!(
        steps(adamw, &plain(&parameter), &[strided(&gradient)]),
        expected
    );
    assert_eq!(
        steps(adamw, &part(&parameter), &[part(&gradient)]),
        expected
    );
}

#[test]
fn tensors_that_are_held_elsewhere_keep_their_numbers() {
    for shape in [[3, 7], [129, 513]] {
        let tensors = [(); 4].map(|()| random(shape));
        let before = tensors.clone().map(|tensor| tensor.into_data());
        let [parameter, gradient, first, second] = tensors.clone();
        let second = second.square();
        let held = second.clone();
        let expected = held.to_data();
        adamw(&UPDATE, parameter, gradient, Some([first, second]));
        assert_eq!(tensors.map(Tensor::into_data), before);
        assert_eq!(held.into_data(), expected);
    }
}

#[test]
fn a_parameter_that_nothing_else_holds_is_updated_in_place() {
    let parameter = random([129, 513]);
    let gradient = random([129, 513]);
    let address = |tensor: Tensor<2>| match tensor.into_dispatch().kind {
        burn::backend::DispatchTensorKind::Flex(burn::backend::BackendTensor::Float(tensor)) => {
            tensor.bytes().as_ptr()
        }
        _ => panic!("the tensor is on flex"),
    };
    let before = address(parameter.clone());
    let (parameter, _) = adamw(&UPDATE, parameter, gradient, None);
    assert_eq!(address(parameter), before);
}

#[test]
#[should_panic(expected = "one shape")]
fn different_shapes_panic() {
    adamw(&UPDATE, random([2, 3]), random([3, 2]), None);
}

#[test]
fn numbers_in_f64_are_updated_too() {
    let shape = [9, 11];
    let gradients: Vec<_> = (0..3).map(|_| random(shape)).collect();
    let parameter = random(shape);
    let double = |tensor: &Tensor<2>| tensor.clone().cast(burn::tensor::DType::F64);
    let wide = steps(
        adamw,
        &double(&parameter),
        &gradients.iter().map(double).collect::<Vec<_>>(),
    );
    for (wide, found) in wide.into_iter().zip(steps(adamw, &parameter, &gradients)) {
        found.assert_approx_eq::<f32>(
            &wide.convert::<f32>(),
            burn::tensor::Tolerance::rel_abs(2e-6, 2e-6),
        );
    }
}
