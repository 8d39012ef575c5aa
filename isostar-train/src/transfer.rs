//! Reads of a device that are awaited later than they begin.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use burn::tensor::{ExecutionError, TensorData, Transaction};

type Read = Result<Vec<TensorData>, ExecutionError>;

/// A transfer from the device to the host that has begun.
///
/// On wgpu, it begins when it is created: the copy follows the operations that were queued before, and
/// operations that are queued later run while the host awaits it. CUDA's reads in Burn 0.22 wait for
/// the device at once.
pub(crate) enum Transfer {
    /// The copy runs.
    Running(Pin<Box<dyn Future<Output = Read> + Send>>),
    /// The numbers are here.
    Done(Read),
}

impl Transfer {
    /// Begins to read the tensors of a transaction.
    pub fn begin(transaction: Transaction) -> Self {
        let mut read: Pin<Box<dyn Future<Output = Read> + Send>> =
            Box::pin(transaction.execute_async());
        match read.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => Self::Done(read),
            Poll::Pending => Self::Running(read),
        }
    }

    /// Waits for the numbers, in the order of registration.
    ///
    /// # Errors
    /// If an operation on the device failed.
    pub fn wait(self) -> Read {
        match self {
            Self::Running(read) => wait_for(read),
            Self::Done(read) => read,
        }
    }
}

/// Runs a future on this thread.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Mutex, mpsc};

    use burn::prelude::*;

    use super::*;

    /// A read that is ready once another thread has sent to it.
    struct Later(Receiver<()>, Arc<Mutex<Option<Waker>>>);

    impl Future for Later {
        type Output = Read;

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Read> {
            *self.1.lock().unwrap() = Some(context.waker().clone());
            match self.0.try_recv() {
                Ok(()) => Poll::Ready(Ok(Vec::new())),
                Err(mpsc::TryRecvError::Empty) => Poll::Pending,
                Err(mpsc::TryRecvError::Disconnected) => panic!("the sender is gone"),
            }
        }
    }

    #[test]
    fn a_transfer_that_is_not_ready_is_awaited() {
        let (sender, receiver) = channel();
        let waker = Arc::new(Mutex::new(None));
        let later = Later(receiver, waker.clone());
        let other = thread::spawn(move || {
            while waker.lock().unwrap().is_none() {
                thread::yield_now();
            }
            sender.send(()).unwrap();
            waker.lock().unwrap().take().unwrap().wake();
            sender
        });
        assert!(
            Transfer::Running(Box::pin(later))
                .wait()
                .unwrap()
                .is_empty()
        );
        other.join().unwrap();
    }

    #[test]
    fn numbers_come_in_the_order_of_registration() {
        let device = Device::default();
        let transaction = Transaction::default()
            .register(Tensor::<1>::from_floats([1.5, 2.0], &device))
            .register(Tensor::<1, Int>::from_ints([7], &device))
            .register(Tensor::<1>::from_floats([0.5], &device));
        let read = Transfer::begin(transaction).wait().unwrap();
        let read: Vec<Vec<f64>> = read.iter().map(|data| data.iter().collect()).collect();
        assert_eq!(read, [vec![1.5, 2.0], vec![7.0], vec![0.5]]);
    }
}
