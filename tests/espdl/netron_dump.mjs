// Prints what Netron's own modules see in an .espdl file, as JSON.
// Usage: node netron_dump.mjs FILE, in a folder that holds copies of Netron's modules.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as base from './base.js';
import { ModelFactory } from './espdl.js';

const path = process.argv[2];
const stream = new base.BinaryStream(new Uint8Array(await readFile(path)));
const context = {
    identifier: path,
    stream,
    set: (type) => { context.type = type; return type; },
    require: (name) => import(`${name}.js`),
    asset: (name) => readFile(name, 'utf-8')
};

const bytes = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const digest = (values) => createHash('sha256').update(bytes(values)).digest('hex');
const type = (item) => item && { dtype: item.dataType, shape: item.shape.dimensions };
const names = (items) => items.map((item) => item.value.map((value) => value.name)).flat();

const factory = new ModelFactory();
const matched = await factory.match(context);
const model = await factory.open(context);
const graph = model.modules[0];
const tensors = new Map();
const values = new Map();
for (const node of graph.nodes) {
    for (const value of [...node.inputs, ...node.outputs].map((item) => item.value).flat()) {
        values.set(value.name, type(value.type));
        if (value.initializer) {
            const tensor = value.initializer;
            const data = tensor.values;
            const binary = ArrayBuffer.isView(data);
            tensors.set(value.name, { ...type(tensor.type), sha256: binary ? digest(data) : null });
        }
    }
}
const attribute = (item) => [item.name, item.type === 'tensor' ? type(item.value.type) : item.value];
process.stdout.write(JSON.stringify({
    matched,
    format: model.format,
    metadata: Object.fromEntries(model.metadata.map((item) => [item.name, item.value])),
    inputs: names(graph.inputs),
    outputs: names(graph.outputs),
    values: Object.fromEntries(values),
    tensors: Object.fromEntries(tensors),
    nodes: graph.nodes.map((node) => ({
        name: node.name,
        op_type: node.type.name,
        inputs: names(node.inputs),
        outputs: names(node.outputs),
        attributes: Object.fromEntries(node.attributes.map(attribute))
    }))
}));
