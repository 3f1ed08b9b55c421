"""The zoo: every declared model type, feature and framework, exported from a tiny model and compared with it.

    make zoo

`rows` lists and checks rows; `run` spreads them over processes and machines; `report` writes the tables.
"""
