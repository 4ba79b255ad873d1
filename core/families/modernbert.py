"""ModernBERT (mmBERT among them): `ModernBertForMaskedLM`.

Positions are rotations of queries and keys, so max_position_embeddings has no tensor. Each block starts with its
LayerNorm instead of ending with it; layer 0 needs none before its attention, as the embeddings end with one.
"""

from core.families.table import Family, Tensor

_LAYER = "model.layers.{layer}"

FAMILY = Family(
    name="modernbert",
    model_types=("modernbert",),
    config_keys={
        "layers": "num_hidden_layers",
        "hidden": "hidden_size",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "vocabulary": "vocab_size",
        "positions": "max_position_embeddings",
        "types": None,
    },
    switches={
        "attention_bias": False,
        "mlp_bias": False,
        "norm_bias": False,
        "classifier_bias": False,
        "decoder_bias": True,
    },
    tensors=(
        Tensor("model.embeddings.tok_embeddings.weight", ("vocabulary", "hidden"), "embeddings"),
        Tensor("model.embeddings.norm.weight", ("hidden",), "embeddings"),
        Tensor("model.embeddings.norm.bias", ("hidden",), "embeddings", switch="norm_bias"),
        Tensor(f"{_LAYER}.attn_norm.weight", ("hidden",), "attention", first_layer=1),
        Tensor(f"{_LAYER}.attn_norm.bias", ("hidden",), "attention", switch="norm_bias", first_layer=1),
        Tensor(f"{_LAYER}.attn.Wqkv.weight", ("query_key_value", "hidden"), "attention"),
        Tensor(f"{_LAYER}.attn.Wqkv.bias", ("query_key_value",), "attention", switch="attention_bias"),
        Tensor(f"{_LAYER}.attn.Wo.weight", ("hidden", "heads"), "attention"),
        Tensor(f"{_LAYER}.attn.Wo.bias", ("hidden",), "attention", switch="attention_bias"),
        Tensor(f"{_LAYER}.mlp_norm.weight", ("hidden",), "feed_forward"),
        Tensor(f"{_LAYER}.mlp_norm.bias", ("hidden",), "feed_forward", switch="norm_bias"),
        Tensor(f"{_LAYER}.mlp.Wi.weight", ("gated_feed_forward", "hidden"), "feed_forward"),
        Tensor(f"{_LAYER}.mlp.Wi.bias", ("gated_feed_forward",), "feed_forward", switch="mlp_bias"),
        Tensor(f"{_LAYER}.mlp.Wo.weight", ("hidden", "feed_forward"), "feed_forward"),
        Tensor(f"{_LAYER}.mlp.Wo.bias", ("hidden",), "feed_forward", switch="mlp_bias"),
        Tensor("model.final_norm.weight", ("hidden",), "feed_forward"),
        Tensor("model.final_norm.bias", ("hidden",), "feed_forward", switch="norm_bias"),
        Tensor("head.dense.weight", ("hidden", "hidden"), "head"),
        Tensor("head.dense.bias", ("hidden",), "head", switch="classifier_bias"),
        Tensor("head.norm.weight", ("hidden",), "head"),
        Tensor("head.norm.bias", ("hidden",), "head", switch="norm_bias"),
        Tensor("decoder.weight", ("vocabulary", "hidden"), "head"),
        Tensor("decoder.bias", ("vocabulary",), "head", switch="decoder_bias"),
    ),
    tied={"decoder.weight": "model.embeddings.tok_embeddings.weight"},
    encoder="model",
    embedding="model.embeddings.tok_embeddings",
    layer=_LAYER,
    query=None,
    key=None,
    value=None,
    attention_output="attn.Wo",
    feed_forward_in="mlp.Wi",
    feed_forward_out="mlp.Wo",
    embedding_norm=None,
    attention_norm=None,
    feed_forward_norm=None,
    transform=("head.dense", "head.norm"),
    decoder="decoder",
    head_activation="classifier_activation",
    position_offset=0,
    # A cut would have to keep query, key and value apart, units with their gates, and layers with their kind of
    # attention (layer_types).
    fixed=frozenset({"layers", "feed_forward", "hidden"}),
)
