/** A definition of a kind, and an object of it. */

export const DEFINITION = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  names: { plural: widgets, singular: widget, kind: Widget, shortNames: [wd] }
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      additionalPrinterColumns:
        - { name: Size, type: integer, jsonPath: .spec.size }
        - { name: Mode, type: string, jsonPath: .spec.mode, priority: 1 }
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: { type: integer, minimum: 1, maximum: 10, description: How large it is. }
                mode: { type: string, enum: [fast, slow], default: fast }
                parts:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [name]
                  items:
                    type: object
                    required: [name]
                    properties: { name: { type: string }, count: { type: integer } }
            status:
              type: object
              x-kubernetes-preserve-unknown-fields: true
`;

export const WIDGET = `apiVersion: example.com/v1
kind: Widget
metadata:
  name: a
spec:
  size: 3
  parts:
    - name: x
`;

/** Any kind, whose objects are free but for their metadata. */
export function definition(group: string, plural: string, kind: string): string {
  return `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: ${plural}.${group} }
spec:
  group: ${group}
  names: { plural: ${plural}, kind: ${kind} }
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`;
}
