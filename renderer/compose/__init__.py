"""A scene becomes its silent segment: layers, layouts, encoding, joins."""
