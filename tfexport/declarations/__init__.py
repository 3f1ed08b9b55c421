"""How each model is exported: inputs, outputs, named axes and tolerances, by model type or by signature."""
