"""A small network with a training step of its own: rows of the rarer class weigh more, by focal loss."""

import keras
import tensorflow as tf

import ferryman
from fraud.metrics import Cost


class Focal(keras.Model):
    """Trains on focal loss: what is sure already counts little."""

    gamma = 2.0

    def train_step(self, data):
        rows, target = data
        with tf.GradientTape() as tape:
            probabilities = self(rows, training=True)
            true = tf.gather(probabilities, target, batch_dims=1)
            loss = tf.reduce_mean((1.0 - true) ** self.gamma * -tf.math.log(true + 1e-7))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


class Fraud(ferryman.Model):
    class Options(ferryman.Options):
        width: int = 8
        """Units of the hidden layer."""

        gamma: float = 2.0

    def build(self, inputs, context):
        columns = keras.layers.Concatenate()(list(context.encoded.values()))
        hidden = keras.layers.Dense(self.options.width, activation="relu", name="hidden")(columns)
        answer = keras.layers.Dense(len(context.classes), activation="softmax")(hidden)
        model = Focal(inputs, answer)
        model.gamma = self.options.gamma
        return model

    def endpoints(self, model, context):
        inner = keras.Model(model.input, model.get_layer("hidden").output)
        return {"embed": lambda raw: {"embedding": inner(context.transform(raw), training=False)}}

    def metrics(self):
        return [Cost()]
